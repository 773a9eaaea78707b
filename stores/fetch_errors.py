"""Why a document could not be fetched, and whether trying again may help.

FetchFailed
├── UrlRefused         the rules of this service do not allow the address
├── FetchTooLarge      the document is over the limit
├── FetchTimedOut      it did not arrive in time
├── HostUnknown        the name has no address
├── HostUnreachable    nobody took the connection
├── StatusRefused      the server answered, but not with the document
└── AnswerBroken       the answer was cut off or is not HTTP

Messages name the host and settings, never the rest of the URL: its userinfo and its query may be
secrets. Nor do they name the address behind a name: a stranger must not read the inner DNS by it.
"""


class FetchFailed(Exception):
    """A document could not be fetched; `transient`: trying again later may help."""

    def __init__(self, message: str, *, transient: bool = False) -> None:
        """Take the sentence for a person."""
        super().__init__(message)
        self.message = message
        self.transient = transient


class UrlRefused(FetchFailed):
    """The URL, or where it leads, is not allowed; nothing was asked of that place."""


class FetchTooLarge(FetchFailed):
    """The document is over `document.max_file_bytes`."""

    def __init__(self, *, host: str, limit: int, given: int | None) -> None:
        """Name the `limit` in bytes; `given` is None where the server did not say."""
        told = f"is {given} bytes" if given is not None else "is"
        super().__init__(
            f"data: the document at {host} {told} over the limit of {limit} bytes "
            "(setting document.max_file_bytes)"
        )
        self.limit = limit
        self.given = given


class FetchTimedOut(FetchFailed):
    """The document did not arrive within `document.fetch_timeout_s`."""

    def __init__(self, *, host: str, limit_s: float) -> None:
        """Name the limit in seconds, for all redirects together."""
        super().__init__(
            f"data: {host} did not deliver the document within {limit_s:g} s "
            "(setting document.fetch_timeout_s)",
            transient=True,
        )


class HostUnknown(FetchFailed):
    """The host's name leads to no address."""


class HostUnreachable(FetchFailed):
    """No connection to the host, or no trusted one."""


class StatusRefused(FetchFailed):
    """The server answered with a status other than success."""

    def __init__(
        self, *, host: str, status: int, transient: bool, retry_after_s: float | None = None
    ) -> None:
        """Carry the HTTP `status`, and the wait in seconds that the server asked for."""
        super().__init__(f"data: {host} answered with status {status}", transient=transient)
        self.status = status
        self.retry_after_s = retry_after_s


class AnswerBroken(FetchFailed):
    """The answer was cut off, or is not what HTTP allows."""
