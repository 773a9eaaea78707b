"""EML: who wrote what to whom, and the text; what is attached is named only."""

from email import policy
from email.errors import MessageError
from email.message import EmailMessage
from email.parser import BytesParser
from typing import cast

from documents.charset import decode
from documents.html import write_html
from documents.pages import Opened, PageWriter, Source, is_blank
from documents.refusals import unreadable

_HEADERS = ("Subject", "From", "To", "Cc", "Date")


def opened(source: Source) -> Opened:
    """Give one page, which is the whole message. Raises DocumentRefused."""
    try:
        message = BytesParser(policy=policy.default).parsebytes(source.content)
        writer = PageWriter(source.room)
        _write_headers(message, writer)
        _write_body(message, writer)
        _write_attachments(message, writer)
    except (RecursionError, MessageError, ValueError, LookupError, TypeError) as error:
        raise unreadable("it is not a message that follows the rules of mail") from error
    return Opened(iter([writer.page()]))


def _write_headers(message: EmailMessage, writer: PageWriter) -> None:
    lines = [f"{name}: {message[name]}" for name in _HEADERS if message[name]]
    writer.paragraph("\n".join(lines))


def _write_body(message: EmailMessage, writer: PageWriter) -> None:
    """Write the plain text; the HTML where there is none."""
    plain = message.get_body(("plain",))
    text = "" if plain is None else _text_of(cast(EmailMessage, plain))
    if not is_blank(text):
        for paragraph in text.replace("\r\n", "\n").split("\n\n"):
            writer.paragraph(paragraph)
        return
    html = message.get_body(("html",))
    if html is not None:
        write_html(_text_of(cast(EmailMessage, html)), writer)


def _text_of(part: EmailMessage) -> str:
    """A part's text in the charset it states, or in the one it is really in."""
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    decoded = decode(content, part.get_content_charset())
    return decoded.text if decoded else content.decode("ascii", "replace")


def _write_attachments(message: EmailMessage, writer: PageWriter) -> None:
    for part in message.iter_attachments():
        name = part.get_filename() or part.get_content_type()
        writer.paragraph(f"Attachment: {name}")
