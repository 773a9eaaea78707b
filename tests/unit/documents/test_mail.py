"""A message is all that its reader sees of it: each text in order, and what is attached by name."""

from email.message import EmailMessage, Message
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest

from tests.unit.documents.making import mail
from tests.unit.documents.reading import text

HEADERS = "Subject: Plan\nFrom: a@example.org"


def multipart(subtype: str, *parts: Message) -> MIMEMultipart:
    message = MIMEMultipart(subtype)
    for part in parts:
        message.attach(part)
    return message


def named(part: Message, name: str, disposition: str = "inline") -> Message:
    part.add_header("Content-Disposition", disposition, filename=name)
    return part


def body(message: Message) -> str:
    """What is read of a message behind its headers."""
    message["Subject"] = "Plan"
    message["From"] = "a@example.org"
    read = text(message.as_bytes(), "eml")
    assert read.startswith(HEADERS)
    return read.removeprefix(HEADERS).strip()


def test_the_footer_of_a_list_does_not_stand_for_the_message() -> None:
    html = MIMEText("<p>The whole message.</p>", "html")
    footer = MIMEText("list footer")
    assert body(multipart("mixed", html, footer)) == "The whole message.\n\nlist footer"


def test_text_behind_a_picture_is_read() -> None:
    picture = named(MIMEApplication(b"\x89PNG"), "cat.png")
    parts = (MIMEText("before"), picture, MIMEText("after"))
    assert body(multipart("mixed", *parts)) == "before\n\nafter\n\nAttachment: cat.png"


def test_of_alternatives_the_plain_one_is_read() -> None:
    both = multipart("alternative", MIMEText("plain"), MIMEText("<p>rich</p>", "html"))
    assert body(multipart("mixed", both, MIMEText("footer"))) == "plain\n\nfooter"


def test_an_alternative_without_text_gives_way_to_the_html() -> None:
    page = multipart("related", MIMEText("<p>rich</p>", "html"))
    assert body(multipart("alternative", MIMEText(" \n"), page)) == "rich"


def test_what_is_attached_to_the_alternative_that_is_not_read_is_named() -> None:
    rich = multipart(
        "mixed",
        MIMEText("<p>before</p>", "html"),
        named(MIMEApplication(b"%PDF-"), "plan.pdf"),
        MIMEText("<p>after</p>", "html"),
    )
    assert body(multipart("alternative", MIMEText("plain"), rich)) == (
        "plain\n\nAttachment: plan.pdf"
    )


def test_a_text_that_is_attached_is_named_only() -> None:
    for disposition in ("attachment", "inline"):
        log = named(MIMEText("log"), "run.log", disposition)
        read = body(multipart("mixed", MIMEText("the message"), log))
        assert read == "the message\n\nAttachment: run.log"


def test_a_message_whose_only_text_has_a_file_name_is_read() -> None:
    assert body(multipart("mixed", named(MIMEText("the message"), "body.txt"))) == "the message"


def test_a_message_that_is_a_file_is_named() -> None:
    assert body(named(MIMEApplication(b"%PDF-"), "scan.pdf")) == "Attachment: scan.pdf"


def test_a_forwarded_message_is_read_with_its_headers() -> None:
    message = EmailMessage()
    message.set_content("See below.")
    forwarded = EmailMessage()
    forwarded["Subject"] = "News"
    forwarded.set_content("the forwarded text")
    forwarded.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="news.pdf")
    message.add_attachment(forwarded)
    assert body(message) == (
        "See below.\n\nSubject: News\n\nthe forwarded text\n\nAttachment: news.pdf"
    )


def test_a_forwarded_message_that_is_encoded_is_named() -> None:
    content = (
        f'{HEADERS}\nContent-Type: multipart/mixed; boundary="b"\n\n--b\n\nhello\n'
        "--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
        "U3ViamVjdDogeAoKdGV4dAo=\n--b--\n"
    )
    assert text(content.encode(), "eml") == (f"{HEADERS}\n\nhello\n\nAttachment: message/rfc822")


def test_messages_forwarded_in_each_other_are_all_read() -> None:
    content = b"Subject: deep\nFrom: a@example.org\nContent-Type: message/rfc822\n\n" * 40
    assert text(content + b"Subject: last\n\nthe end", "eml").endswith("Subject: last\n\nthe end")


@pytest.mark.parametrize("subtype", ["mixed", "alternative", "related"])
def test_a_message_that_only_says_it_has_parts_has_none(subtype: str) -> None:
    content = f"{HEADERS}\nContent-Type: multipart/{subtype}\n\nhello"
    assert text(content.encode(), "eml") == HEADERS


def test_a_mail_is_its_headers_its_text_and_the_names_of_what_is_attached() -> None:
    assert text(mail(plain="Hello\n\nthere", html="<p>no</p>")) == (
        "Subject: Grüße aus Köln\nFrom: Ann <ann@example.org>\nTo: bob@example.org\n"
        "Date: Mon, 05 Jan 2026 10:00:00 +0000\n\nHello\n\nthere\n\nAttachment: cat.png"
    )


def test_a_mail_without_plain_text_is_read_from_its_html() -> None:
    assert "Hi you" in text(mail(html="<p>Hi <b>you</b></p>"))


@pytest.mark.parametrize("header", ["From: <", "From: a@", "To: a@[", "Cc: ;", "From: a@b@c, ,,"])
def test_a_header_that_is_no_address_is_shown_as_it_stands(header: str) -> None:
    inner = f"Subject: inner\r\n{header}\r\n\r\nthe inner text".encode()
    outer = (
        b"Subject: outer\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n"
        b"To: c@d.org\r\n\r\n--x\r\n\r\nsee below\r\n--x\r\nContent-Type: message/rfc822\r\n\r\n"
        + inner
        + b"\r\n--x--\r\n"
    )
    for content in (inner, outer):
        told = text(content, "eml")
        assert "the inner text" in told
        assert header in told
