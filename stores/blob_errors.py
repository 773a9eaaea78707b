"""Why a blob could not be kept or read.

BlobFailed
├── BlobGone           it is not there: expired, deleted, or never written here
├── BlobDamaged        what is there is not what was written
├── BlobTooLarge       the content is over the limit of its caller
└── BlobsUnavailable   the store did not do what it was asked; try again
    └── KeyMissing     there is no such key (inside stores/ only)
"""

import re

_SECRETS = re.compile(r"\?\S*|(?<=://)[^/\s]*@")
_REASON_CHARS = 200


class BlobFailed(Exception):
    """A blob could not be kept or read; `transient`: trying again may help."""

    transient = False

    def __init__(self, message: str) -> None:
        """Take the sentence for a person."""
        super().__init__(message)
        self.message = message


class BlobGone(BlobFailed):
    """The blob is not there."""


class BlobDamaged(BlobFailed):
    """The blob is not what was written; writing the content again mends it."""


class BlobTooLarge(BlobFailed):
    """The content is over the limit; nothing of it was kept."""

    def __init__(self, *, limit: int) -> None:
        """Name the `limit` in bytes; its setting is the caller's."""
        super().__init__(f"the content is over the limit of {limit} bytes")
        self.limit = limit


class BlobsUnavailable(BlobFailed):
    """The blob store (setting document.blob_url) is not usable now."""

    transient = True


class KeyMissing(BlobsUnavailable):
    """The store has no such key, or lost the place where it should be."""


def reason_of(error: Exception) -> str:
    """The store's own words: one line, without the queries and user names of its URLs."""
    line = str(error).partition("\n")[0]
    return _SECRETS.sub("", line)[:_REASON_CHARS] or type(error).__name__
