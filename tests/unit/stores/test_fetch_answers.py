import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores.fetch_answers import (
    FILENAME_CHARS,
    bare_name,
    filename_of,
    is_whole,
    may_pass,
    media_type_of,
    retry_after_s,
)

NOW_MS = 1_700_000_000_000  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    "disposition, url_name, name",
    [
        (None, "report.pdf", "report.pdf"),
        (None, "", None),
        ("attachment", "report.pdf", "report.pdf"),
        ('attachment; filename="a.pdf"', "report.pdf", "a.pdf"),
        ("attachment; filename=a.pdf", "", "a.pdf"),
        ("inline; filename*=UTF-8''%c3%bc.pdf", "", "ü.pdf"),
        ('attachment; filename="../../etc/passwd"', "", "passwd"),
        ('attachment; filename="..\\\\..\\\\boot.ini"', "", "boot.ini"),
        ('attachment; filename="/"', "report.pdf", "report.pdf"),
        ('attachment; filename=".."', "report.pdf", "report.pdf"),
        ("attachment; filename*=UTF-8''..%2f..%2fpasswd", "", "passwd"),
        ("attachment; filename*=no-such-charset''a.pdf", "", "a.pdf"),
        ("attachment; filename*=''", "report.pdf", "report.pdf"),
        ('attachment; filename="a\x00b.pdf"', "", "ab.pdf"),
        ('attachment; filename="\udc80.pdf"', "", "?.pdf"),
        (";;;===", "report.pdf", "report.pdf"),
    ],
)
def test_a_file_name_is_one_bare_name(
    disposition: str | None, url_name: str, name: str | None
) -> None:
    assert filename_of(disposition, url_name) == name


@given(st.text(), st.text())
def test_no_header_and_no_url_make_a_path_of_a_file_name(disposition: str, url_name: str) -> None:
    for header in (disposition, f"attachment; filename={disposition}", f"x; filename*={url_name}"):
        name = filename_of(header, url_name)
        assert name is None or not set(name) & set("/\\\x00\r\n")
        assert name is None or (not name.startswith(".") and len(name) <= FILENAME_CHARS)


def test_a_long_name_is_cut() -> None:
    assert bare_name("x" * 5_000) == "x" * FILENAME_CHARS


@pytest.mark.parametrize(
    "header, media_type",
    [
        (None, None),
        ("", None),
        ("application/PDF", "application/pdf"),
        ("text/html; charset=utf-8", "text/html"),
        ("text/html;charset=utf-8", "text/html"),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document",) * 2,
        ("text", None),
        ("text/html/x", None),
        ("text/<script>", None),
        ("x/" + "y" * 1_000, None),
    ],
)
def test_a_media_type_is_read_without_its_parameters(
    header: str | None, media_type: str | None
) -> None:
    assert media_type_of(header) == media_type


@pytest.mark.parametrize(
    "header, wait_s",
    [
        (None, None),
        ("", None),
        ("120", 120.0),
        ("0", 0.0),
        ("999999999", 86_400.0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 22:14:20", 60.0),
        ("Tue, 14 Nov 2023 22:12:20 GMT", 0.0),
        ("Tue, 14 Nov 2099 22:12:20 GMT", 86_400.0),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("Tue, 99 Nov 2023 22:12:20 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(
    header: str | None, wait_s: float | None
) -> None:
    assert retry_after_s(header, NOW_MS) == wait_s


@given(st.text())
def test_no_retry_after_breaks_the_reader(header: str) -> None:
    wait_s = retry_after_s(header, NOW_MS)
    assert wait_s is None or 0 <= wait_s <= 86_400


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_a_status_that_may_pass(status: int) -> None:
    assert may_pass(status)


@pytest.mark.parametrize("status", [101, 206, 300, 304, 400, 401, 403, 404, 410, 451])
def test_a_status_that_stays(status: int) -> None:
    assert not may_pass(status)
    assert not is_whole(status)
