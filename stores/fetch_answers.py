"""What a server's answer says about the document in it. Pure: every header is a stranger's text."""

import re
import unicodedata
from datetime import UTC
from email.message import Message
from email.utils import parsedate_to_datetime

FILENAME_CHARS = 200
RETRY_AFTER_S = 86_400.0  # a server that asks for more is given no more
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 429})
_SUCCESS = range(200, 300)
_PARTIAL = 206  # nobody asked for a part
_SERVER_FAULT = 500
_MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]{1,63}/[\w!#$&^.+-]{1,63}", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,9}")


def is_whole(status: int) -> bool:
    """Whether the answer's body is the document."""
    return status in _SUCCESS and status != _PARTIAL


def may_pass(status: int) -> bool:
    """Whether the same request may succeed later, although it was answered with `status`."""
    return status in _PASSING or status >= _SERVER_FAULT


def media_type_of(header: str | None) -> str | None:
    """The media type without its parameters, in lower case; None where there is no valid one."""
    name = (header or "").partition(";")[0].strip().lower()
    return name if _MEDIA_TYPE.fullmatch(name) else None


def filename_of(disposition: str | None, url_name: str) -> str | None:
    """The document's name, by the server or else by its URL: one bare name, never a path."""
    return bare_name(_named_by(disposition)) or bare_name(url_name)


def bare_name(given: str | None) -> str | None:
    """What is left of a name without folders, control characters and leading dots."""
    last = re.split(r"[/\\]", given or "")[-1]
    shown = "".join(char for char in last if unicodedata.category(char)[0] != "C")
    return shown.strip().lstrip(". ")[:FILENAME_CHARS] or None


def retry_after_s(header: str | None, now_ms: int) -> float | None:
    """The wait a server asks for, as seconds or as a date, at most a day; None: it says nothing."""
    text = (header or "").strip()
    if _DIGITS.fullmatch(text):
        return min(float(text), RETRY_AFTER_S)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    at_s = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    return min(max(at_s - now_ms / 1000, 0.0), RETRY_AFTER_S)


def _named_by(disposition: str | None) -> str | None:
    if not disposition:
        return None
    message = Message()
    try:
        message["Content-Disposition"] = disposition.encode("utf-8", "replace").decode()
        return message.get_filename()
    except (ValueError, LookupError, TypeError, IndexError):
        return None  # the parser of the standard library is not made for hostile headers
