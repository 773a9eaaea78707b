"""A plain text is what it says, whoever wrote it and whatever its name is."""

from unittest.mock import Mock

import pytest

from documents import records
from documents.formats import Format
from documents.plain_kinds import kind_of_text
from models.states import ItemErrorCode
from tests.unit.documents.reading import pages, refusal, text

MAIL = (
    "Message-ID:<1@x>\r\nFrom: a@b.org\r\nTo: c@d.org\r\nSubject: s\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8gd29ybGQ=\r\n"
)
SEALS = "".join(f"ARC-Seal: i={at}; {'x' * 60}\r\n {'y' * 60}\r\n" for at in range(500))


# ---------------------------------------------------------------------------------------- mail


@pytest.mark.parametrize("ending", ["eml", ""])
@pytest.mark.parametrize(
    "mail",
    [
        MAIL,
        MAIL.replace(": ", ":"),
        MAIL.replace("\r\n", "\n"),
        "From a@b.org Mon Jan  5 10:00:00 2026\r\n" + MAIL,
        SEALS + MAIL,
        MAIL + "x" * 100_000,
    ],
)
def test_a_mail_is_one_however_its_headers_are_written(mail: str, ending: str) -> None:
    assert kind_of_text(mail, ending) is Format.EML


def test_a_mail_is_decoded_whose_headers_have_no_spaces() -> None:
    assert "Hello world" in text(MAIL.replace(": ", ":").encode(), "eml")
    assert "Hello world" in text(b"From a@b.org Mon Jan  5 10:00:00 2026\r\n" + MAIL.encode())


def test_headers_longer_than_what_is_looked_at_may_be_cut_within_a_name() -> None:
    for more in range(12):
        headers = MAIL[:18] + f"X-A: {'x' * more}\r\n" + "X-Abcd: \r\n" * 40_000
        assert kind_of_text(headers + MAIL, "eml") is Format.EML


@pytest.mark.parametrize("ending", ["", "eml"])
@pytest.mark.parametrize(
    "words",
    [
        "Time: a thing that passes.\nSpace: another\n\nand so on",
        "From here on, to: nobody\nand so on\nSubject: none\n",
        "From a friend\nTo be read\n\nHello",
        " To: a\n From: b\n Date: c\n",
        "a line\nFrom: a\nTo: b\nSubject: c\n\nquoted",
        "",
    ],
)
def test_what_looks_a_little_like_mail_is_a_text(words: str, ending: str) -> None:
    assert kind_of_text(words, ending) is Format.TEXT


def test_a_box_of_many_mails_stays_a_text_that_has_them_all() -> None:
    one = f"From a@b.org Mon Jan  5 10:00:00 2026\n{MAIL}\n".replace("\r\n", "\n")
    assert kind_of_text(one * 2, "") is Format.TEXT
    assert kind_of_text(one + "From now on all is well.\n", "") is Format.EML


# ---------------------------------------------------------------------------------------- pages


def page(charset: str, words: str) -> str:
    return f'<!doctype html><meta charset="{charset}"><p>{words}'


def test_a_page_is_read_in_the_charset_that_it_states_to_browsers() -> None:
    words = "日本語のテキストです。"
    assert text(page("iso-2022-jp", words).encode("iso-2022-jp"), "html") == words
    assert text(page("iso-8859-1", "“so…”").encode("cp1252"), "html") == "“so…”"


def test_a_page_that_says_it_has_two_bytes_a_character_and_has_not_is_not_believed() -> None:
    for words in ("été", "deux étés"):
        assert text(page("utf-16", words).encode("cp1252"), "html") == words


# --------------------------------------------------------------------------------------- tables


@pytest.mark.parametrize(
    "table, read",
    [
        ("1,5;2,5;3,5", "1,5 | 2,5 | 3,5"),
        ("a;b\n1,5;2,5\n1,7;3", "a | b\n1,5 | 2,5\n1,7 | 3"),
        ("a\tb\n1,5\t2,5\n", "a | b\n1,5 | 2,5"),
        ('a;b\n"two, or\nthree";1\n"four";2\n', "a | b\ntwo, or three | 1\nfour | 2"),
        ('a\tb\n"two, or\nthree, or\nfour"\t1', "a | b\ntwo, or three, or four | 1"),
        ('name,what\nx,"a;b;c"\ny,"d;e;f"', "name | what\nx | a;b;c\ny | d;e;f"),
        ("name,what\nx,1;2\ny,3;4\n", "name | what\nx | 1;2\ny | 3;4"),
        ("Report\n\nname;size\na;1,5\nb;2,5", "Report\nname | size\na | 1,5\nb | 2,5"),
        ("one, two\nthree\nfour", "one | two\nthree\nfour"),
        ("one; two\nthree\nfour", "one; two\nthree\nfour"),
        ("sep=;\n1,5;2\n", "1,5 | 2"),
        ("\ufeffsep=|\r\n1;2|3;4\r\n5;6|7;8\r\n", "1;2 | 3;4\n5;6 | 7;8"),
        ('"SEP=\t"\na,b\tc,d', "a,b | c,d"),
        ("sep=number\nof,cells", "sep=number\nof | cells"),
    ],
)
def test_rows_are_told_apart_by_what_gives_each_as_many_cells(table: str, read: str) -> None:
    assert text(table.encode(), "csv") == read


def test_a_table_is_told_by_its_rows_and_not_by_its_lines() -> None:
    rows = 'name;what\nant;"small,\nbut strong"\nbee;"loud; it\n\nflies"\n'
    assert kind_of_text(rows, "") is Format.CSV
    assert kind_of_text("sep=;\n" + rows, "") is Format.CSV
    assert kind_of_text('"Yes," he said.\n"No," she said.\n"Or," they said.\n', "") is Format.TEXT


def test_a_table_with_long_rows_is_told_by_those_that_are_looked_at_whole() -> None:
    wide = ";".join(["1,5"] * 1000)
    assert text("\n".join([wide] * 50).encode(), "csv").startswith("1,5 | 1,5")


def test_a_quote_without_end_does_not_hide_the_table() -> None:
    assert text(b'a;"' + b"x. " * 100_000, "csv").startswith("a | x. x")


# --------------------------------------------------------------------------------------- records


@pytest.mark.parametrize("ending", ["json", "jsonl", "ndjson", ""])
def test_records_are_read_under_the_name_of_the_other_kind(ending: str) -> None:
    lines = b'{"a": 1}\n\n{"a": 2}\n'
    assert text(lines, ending) == "a: 1\n\na: 2"
    assert text(b'[\n  {"a": 1},\n  {"a": 2}\n]\n', ending) == "a: 1\n\na: 2"
    assert text(b'{\n  "a": 1\n}', ending) == "a: 1"


@pytest.mark.parametrize(
    "content, ending, format_",
    [
        ("{broken", "json", Format.JSON),
        ("{broken", "jsonl", Format.NDJSON),
        ("{broken", "", Format.TEXT),
        ("one line\nor two", "json", Format.JSON),
        ("12\n13", "txt", Format.TEXT),
        ("12\n13", "", Format.TEXT),
    ],
)
def test_a_name_counts_where_the_content_says_nothing(
    content: str, ending: str, format_: Format
) -> None:
    assert kind_of_text(content, ending) is format_


@pytest.mark.parametrize("ending", ["json", "jsonl", ""])
def test_a_broken_line_among_records_is_read_as_it_stands(ending: str) -> None:
    lines = b'{"a": 1}\n{"a": 2}\n{"a": "cut o'
    assert text(lines, ending) == 'a: 1\n\na: 2\n\n{"a": "cut o'


def test_the_first_of_many_records_may_be_broken() -> None:
    assert text(b'a": 0}\n{"a": 1}\n{"a": 2}\n', "jsonl") == 'a": 0}\n\na: 1\n\na: 2'
    deep = b"[" * 100_000
    assert text(b'{"a": 1}\n{"a": 2}\n' + deep, "jsonl").endswith("[[[")


@pytest.mark.parametrize("lines", [b"a\nb\nc", b'{"a": 1}\n{"a": \n', b'{"a": 1}\nb\nc'])
def test_lines_that_are_mostly_broken_are_refused_by_the_first_of_them(lines: bytes) -> None:
    refused = refusal(lines, "jsonl")
    assert refused.code is ItemErrorCode.DOCUMENT_UNREADABLE
    assert f"line {1 if lines.startswith(b'a') else 2}, column" in refused.message


def test_lines_without_a_record_are_refused_before_all_are_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = Mock(wraps=records._parsed)
    monkeypatch.setattr(records, "_parsed", tried)
    assert refusal(b"x\n" * 100_000, "jsonl").code is ItemErrorCode.DOCUMENT_UNREADABLE
    assert tried.call_count < 2 * records.FAR_MORE_LINES


# -------------------------------------------------------------------------------------- Markdown


def titles(content: str) -> list[str]:
    [page] = pages(content.encode(), "md")
    return [heading.title for heading in page.headings]


@pytest.mark.parametrize(
    "start",
    [
        "---\n\n# A\n\ntext\n\n---\n",
        "---\n# A\n\nSome text: of many words.\nMore of it.\n\n---\n",
        "---\n\n# A\n\n---\n",
        "---\n# A\n\n- one\n- two\n\n---\n",
        "---\ntext\n\n# A\n\n---\n",
    ],
)
def test_a_rule_at_the_start_hides_no_heading(start: str) -> None:
    assert titles(start + "\n# B\n") == ["A", "B"]


def test_a_fence_is_opened_by_no_code_within_a_line_and_closed_by_no_other() -> None:
    assert titles("```x``` is code\n\n# A\n") == ["A"]
    assert titles("```\n```js\n# no heading\n```\n# B\n") == ["B"]


@pytest.mark.parametrize(
    "front",
    [
        "title: x",
        "# a comment\ntitle: x\n\n# another\ndate: 2026-01-05",
        'tags:\n- a\n- b\n"quoted key": >\n  # folded\n  text\nurl: http://x\nno value:',
        "Titel größer: x",
    ],
)
@pytest.mark.parametrize("end", ["\n---\n", "\n---  \n"])
def test_front_matter_has_no_headings(front: str, end: str) -> None:
    assert titles(f"---\n{front}{end}\n# B\n") == ["B"]


def test_front_matter_may_be_all_there_is() -> None:
    assert titles("---\n# A\ntitle: x\n---") == []


@pytest.mark.parametrize(
    "front",
    [
        "title: Foo\nog:title: Bar",
        "dc:title: Foo\n# note\nlang: en",
        "title: Foo\ntags: [\n  a\n]",
        "\ntitle: Foo",
        "$schema: x",
        "@id: x",
        "<<: *x",
        "-\n  a: b",
        'title: "a\nb"',
        "- title: x",
        '{"title": "x"}',
    ],
)
def test_yaml_of_many_kinds_is_front_matter(front: str) -> None:
    assert titles(f"---\n{front}\n---\n# Head") == ["Head"]


@pytest.mark.parametrize(
    "table, first",
    [
        (
            "2024-01-01,ok;cached\n2024-01-02,fail;cold\n2024-01-03,ok;cold\n",
            "2024-01-01 | ok;cached",
        ),
        ("Name <a@b.c>; Foo,1\nOther <d@e.f>; Bar,2\n", "Name <a@b.c>; Foo | 1"),
        ("1,a|b\n2,c|d\n3,e|f\n", "1 | a|b"),
        (
            'title,tags,year\nA,x|y,1999\nB,"p|q"\nC,r|s\nD,t|u,2000,extra\n',
            "title | tags | year",
        ),
        ("1,5;2,5;3,5\n4,5;5,5;6,5\n", "1,5 | 2,5 | 3,5"),
        ("name;price\nant;1,50\nbee;2,25\n", "name | price"),
    ],
)
def test_a_comma_separates_unless_it_stands_in_numbers(table: str, first: str) -> None:
    assert text(table.encode(), "csv").split("\n")[0] == first
