"""Where a document task's file is: in the request itself, in the blob store, or at a URL. Pure."""

from base64 import b64decode
from dataclasses import dataclass
from urllib.parse import urlsplit

from models.blob_refs import BlobRef
from models.errors import InvalidRequest
from models.tasks import TaskRequest

#: `:` is no letter of base64, so these begin nothing that is.
BLOB_PREFIX = "blob:"
URL_PREFIXES = ("http://", "https://")
EMPTY = "the file is empty"
LONGEST_URL = 8_000


@dataclass(frozen=True, slots=True)
class FileSource:
    """Exactly one of these."""

    content: bytes | None = None
    blob: BlobRef | None = None
    url: str | None = None

    @property
    def size_bytes(self) -> int | None:
        """How large the file is; None: only its server knows."""
        if self.content is not None:
            return len(self.content)
        return None if self.blob is None else self.blob.size


def file_source(request: TaskRequest) -> FileSource:
    """Read the `data` of a document task; raise InvalidRequest for what is none of the three."""
    return source_of(request.data if isinstance(request.data, str) else "")


def image_sources(request: TaskRequest) -> list[FileSource]:
    """Read each image of a task; raise InvalidRequest, which names the first that is none."""
    found = []
    for index, data in enumerate(request.images):
        try:
            found.append(source_of(data))
        except InvalidRequest as error:
            field = "data" if isinstance(request.data, str) else f"data[{index}]"
            raise InvalidRequest(field=field, reason=error.reason, given=error.given) from None
    return found


def inline_bytes(request: TaskRequest) -> bytes:
    """What of a document or of images travels in the request, one behind the other."""
    if request.is_image:
        return b"".join(source.content or b"" for source in image_sources(request))
    return file_source(request).content or b""


def source_of(data: str) -> FileSource:
    """Read one file's place; raise InvalidRequest naming `data`."""
    start = data[:8].lower()
    if start.startswith(URL_PREFIXES):
        return FileSource(url=_checked_url(data))
    if start.startswith(BLOB_PREFIX):
        return FileSource(blob=_parsed(data))
    return FileSource(content=_decoded(data))


def _checked_url(url: str) -> str:
    """A URL that may be fetched as far as can be told without asking; the worker judges again."""
    if len(url) > LONGEST_URL:
        reason = f"a URL has at most {LONGEST_URL} characters"
        raise InvalidRequest(field="data", reason=reason, given=len(url))
    try:
        parts = urlsplit(url)
        named, secret = bool(parts.hostname), parts.username is not None
    except ValueError:
        named, secret = False, False
    if not named or not url.isprintable() or " " in url:
        raise InvalidRequest(field="data", reason="is no URL")
    if secret:
        raise InvalidRequest(field="data", reason="a URL must not carry a user name or password")
    return url


def _parsed(data: str) -> BlobRef:
    try:
        blob = BlobRef.parse(data)
    except ValueError:
        reason = "a blob is named blob:sha256:<64 hex digits>:<size in bytes>"
        raise InvalidRequest(field="data", reason=reason) from None
    if not blob.size:
        raise InvalidRequest(field="data", reason=EMPTY)
    return blob


def _decoded(data: str) -> bytes:
    try:
        content = b64decode("".join(data.split()), validate=True)
    except ValueError:  # also for what is not ASCII
        reason = "is neither base64 (RFC 4648, section 4) nor an http(s) URL nor a blob's name"
        raise InvalidRequest(field="data", reason=reason) from None
    if not content:
        raise InvalidRequest(field="data", reason=EMPTY)
    return content
