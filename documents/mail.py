"""EML: who wrote what to whom, and the text; what is attached is named only."""

from collections.abc import Iterator
from email import policy
from email.errors import MessageError
from email.message import EmailMessage
from email.parser import BytesParser
from typing import cast

from documents.charset import decode
from documents.html import write_html
from documents.pages import Opened, PageWriter, Source, is_blank, one_line
from documents.refusals import unreadable

_HEADERS = ("Subject", "From", "To", "Cc", "Date")
_PLAIN = "text/plain"
_HTML = "text/html"
_FORWARDED = "message/rfc822"
_MIXED = "multipart/mixed"
_ALTERNATIVE = "multipart/alternative"


def opened(source: Source) -> Opened:
    """Give one page, which is the whole message. Raises DocumentRefused."""
    try:
        message = BytesParser(policy=policy.default).parsebytes(source.content)
        writer = PageWriter(source.room)
        _write_headers(message, writer)
        _write_parts(message, writer)
    except (RecursionError, MessageError, ValueError, LookupError, TypeError) as error:
        raise unreadable("it is not a message that follows the rules of mail") from error
    return Opened(iter([writer.page()]))


def _write_headers(message: EmailMessage, writer: PageWriter) -> None:
    told = ((name, _header(message, name)) for name in _HEADERS)
    writer.paragraph("\n".join(f"{name}: {value}" for name, value in told if value))


def _header(message: EmailMessage, name: str) -> str | None:
    """A header as it is meant, or as it stands where its addresses are none."""
    raw = (value for key, value in message.raw_items() if key.lower() == name.lower())
    as_it_stands = next(raw, None)
    if as_it_stands is None:
        return None
    try:
        told = str(message[name])
    except Exception:  # noqa: BLE001  # on hostile ones the library's parser raises what it likes
        told = "<>"  # as where it finds no address
    return one_line(str(as_it_stands)) if "<>" in told else told


def _write_parts(message: EmailMessage, writer: PageWriter) -> None:
    """Write all texts that a reader is shown, in order, then the names of what is attached."""
    attached: list[EmailMessage] = []
    first = True
    for part in _parts(message):
        if _is_forwarded(part):
            for forwarded in _below(part):
                _write_headers(forwarded, writer)
        elif _is_shown(part, first=first):
            first = False
            _write_text(part, writer)
        else:
            attached.append(part)
    for part in attached:
        writer.paragraph(f"Attachment: {part.get_filename() or part.get_content_type()}")


def _parts(message: EmailMessage) -> Iterator[EmailMessage]:
    """All parts in order, of alternatives one; a forwarded message comes before its own parts.

    Without recursion: they may be nested deep.
    """
    waiting = [message]
    while waiting:
        part = waiting.pop()
        kind = part.get_content_type()
        if not kind.startswith("multipart/"):
            yield part
        if kind == _ALTERNATIVE:
            waiting += reversed(_chosen(_below(part)))
        elif kind.startswith("multipart/") or _is_forwarded(part):
            waiting += reversed(_below(part))


def _below(part: EmailMessage) -> list[EmailMessage]:
    """The parts of a part; none where it only says that it has some."""
    return cast(list[EmailMessage], part.get_payload()) if part.is_multipart() else []


def _is_forwarded(part: EmailMessage) -> bool:
    """Whether it is a message with headers: against the rules some are encoded, and have none."""
    return part.get_content_type() == _FORWARDED and any(map(len, _below(part)))


def _chosen(alternatives: list[EmailMessage]) -> list[EmailMessage]:
    """The plain text, and what is attached to the others; the best of them where it is empty."""
    for part in alternatives:
        is_plain = part.get_content_type() == _PLAIN and not part.is_attachment()
        if is_plain and not is_blank(_text_of(part)):
            return [part, *_attached_to(alternatives)]
    rich = [part for part in alternatives if _may_be_html(part)]
    return (rich or alternatives)[-1:]


def _may_be_html(part: EmailMessage) -> bool:
    return part.get_content_type() == _HTML or part.get_content_maintype() == "multipart"


def _attached_to(alternatives: list[EmailMessage]) -> Iterator[EmailMessage]:
    """Files that a mailer puts between the texts of one alternative, and into no other."""
    for alternative in alternatives:
        if alternative.get_content_type() == _MIXED:
            yield from (part for part in _below(alternative) if part.get_filename())


def _is_shown(part: EmailMessage, *, first: bool) -> bool:
    """Whether a reader is shown it as text: the `first` such part even when it has a name."""
    if part.is_attachment() or part.get_content_type() not in {_PLAIN, _HTML}:
        return False
    return first or not part.get_filename()


def _write_text(part: EmailMessage, writer: PageWriter) -> None:
    text = _text_of(part)
    if part.get_content_type() == _HTML:
        write_html(text, writer)
        return
    for paragraph in text.replace("\r\n", "\n").split("\n\n"):
        writer.paragraph(paragraph)


def _text_of(part: EmailMessage) -> str:
    """A part's text in the charset it states, or in the one it is really in."""
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    decoded = decode(content, part.get_content_charset())
    return decoded.text if decoded else content.decode("ascii", "replace")
