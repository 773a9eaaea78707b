"""A chunk stands under the headings that a reader would find it under."""

import pytest

from documents.outline import placed
from documents.pages import Heading
from models.documents import ChunkOptions
from tests.unit.documents import making
from tests.unit.documents.reading import chunks, pages, text


def chapter(title: str, body: str) -> str:
    return (
        '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">'
        f"<head><title>{title}</title></head><body>{body}</body></html>"
    )


def page(title: str, body: str) -> bytes:
    return f"<html><head><title>{title}</title></head><body>{body}</body></html>".encode()


def starts(titles: list[str], content: str) -> list[int]:
    """Where the bookmarks of a page are placed."""
    return [heading.start for heading in placed([(1, title) for title in titles], content)]


def test_a_chapter_stands_under_its_own_heading() -> None:
    book = making.epub({
        "a": chapter("Book", "<h1>One</h1><p>a</p>"),
        "b": chapter("Book", "<p>goes on</p>"),
        "c": chapter("Book", "<h1>Two</h1><p>b</p>"),
    })  # fmt: skip
    assert [(chunk.text, chunk.place.headings) for chunk in chunks(book)] == [
        ("# One\n\na", ["One"]), ("goes on", ["One"]), ("# Two\n\nb", ["Two"]),
    ]  # fmt: skip


def test_a_chapter_without_a_heading_stands_under_its_title() -> None:
    book = making.epub({
        "a": chapter("One", "<p>a</p>"),
        "b": chapter("Two", '<h1><img src="two.png"/></h1><p>b</p>'),
    })  # fmt: skip
    assert [(chunk.text, chunk.place.headings) for chunk in chunks(book)] == [
        ("# One\n\na", ["One"]), ("# Two\n\nb", ["Two"]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "title, body, headings",
    [
        ("Page", "<h1> Page </h1>", ["Page"]),
        ("Page - Site", "<h1>Page</h1>", ["Page"]),
        ("PAGE | Site", "<h2>Menu</h2><h1>Page</h1>", ["Menu", "Page"]),
        ("Page - Site", "<h2>Page</h2>", ["Page"]),
        ("Pages - Site", "<h1>Page</h1>", ["Pages - Site", "Page"]),
        ("Page - Site", "<nav><h1>Page</h1></nav><h1>Site</h1>", ["Page - Site", "Site"]),
        ("Page", "<p>text</p>", ["Page"]),
        ("Page", "<h1><div>Page</div></h1>", ["Page"]),
        ("One page", "<h1>One<br><i>page</i></h1>", ["One page"]),
        ("", "<h1>Page</h1>", ["Page"]),
    ],
)
def test_a_title_is_a_heading_unless_a_heading_says_it(
    title: str, body: str, headings: list[str]
) -> None:
    [read] = pages(page(title, body))
    assert [heading.title for heading in read.headings] == headings


def test_the_first_chunk_of_a_page_stands_under_its_heading() -> None:
    [chunk] = chunks(page("Page - Site", "<h1>Page</h1><p>text</p>"))
    assert (chunk.text, chunk.place.headings) == ("# Page\n\ntext", ["Page"])


def test_a_list_begins_with_the_number_it_states() -> None:
    assert text(b'<html><ol start="3"><li>c<li>d</ol><ol start="-1"><li>a<li>b</ol></html>') == (
        "3. c\n4. d\n\n-1. a\n0. b"
    )


@pytest.mark.parametrize("start", ["", "x", "\u00b2", "9" * 5000])
def test_a_list_that_states_no_number_begins_with_one(start: str) -> None:
    content = f'<html><meta charset="utf-8"><ol start="{start}"><li>a</ol></html>'
    assert text(content.encode()) == "1. a"


def test_a_bookmark_is_at_its_own_line_and_not_where_it_is_mentioned() -> None:
    content = "In the Results section Methods matter.\nMethods\ntext\nResults\nmore"
    assert starts(["Methods", "Results"], content) == [39, 52]


@pytest.mark.parametrize("line", ["3.1 Methods", "METHODS", "  Methods  ", "1. Methods:"])
def test_a_line_may_say_a_bookmark_in_its_own_way(line: str) -> None:
    assert starts(["Methods"], f"Methods matter.\n{line}\ntext") == [16]


def test_a_bookmark_without_a_line_of_its_own_is_where_it_is_said_first() -> None:
    content = "cover\nAn introduction\nto  the (art) of\nsailing. The end"
    assert starts(["Introduction to the ART", "the end"], content) == [6, 39]


def test_a_bookmark_that_is_nowhere_is_behind_the_last() -> None:
    assert starts(["none", "b", "gone", "***", "C"], "a\nb\nc\n") == [0, 2, 2, 2, 4]
    assert starts(["a"], "") == [0]


def test_a_part_of_a_word_is_no_bookmark() -> None:
    assert starts(["Part"], "departed\nPartial\npart of it") == [17]


def test_bookmarks_of_the_same_name_are_at_lines_of_their_own() -> None:
    content = "Example\none\nExample\ntwo"
    assert starts(["Example", "none", "Example", "Example"], content) == [0, 0, 12, 12]


def test_bookmarks_keep_their_order_and_their_levels() -> None:
    content = "Two\nOne\nTwo"
    assert placed([(1, "One"), (2, "Two")], content) == (Heading(1, "One", 4), Heading(2, "Two", 8))


@pytest.mark.parametrize(
    "title, content",
    [("a " * 99 + "b", "a " * 2_000_000), ("a" * 200, "a\n" * 2_000_000), ("(a+)+b", "aa" * 10**6)],
)
@pytest.mark.timeout(30)
def test_thousands_of_bookmarks_are_placed_on_a_page_of_any_length(
    title: str, content: str
) -> None:
    """One by one through the whole of it, these would take minutes."""
    assert starts([title] * 5_000, content) == [0] * 5_000


def test_the_chunks_of_a_page_stand_under_the_bookmarks_before_them() -> None:
    content = making.pdf(
        ["In Results Methods matter.\nMethods\none two three\nResults\nfour five six"],
        bookmarks=[("Methods", 0), ("Results", 0)],
    )
    read = chunks(content, options=ChunkOptions(tokens=4))
    assert [chunk.place.headings for chunk in read] == [[], ["Methods"], ["Results"]]


@pytest.mark.parametrize(
    "title, body, heading",
    [
        ("Invoice #4711 for ACME", "<h1>Invoice</h1>", "Invoice #4711 for ACME"),
        ("C++ in a nutshell", "<h1>C</h1>", "C++ in a nutshell"),
        ("Python: the complete reference", "<h2>Python</h2>", "Python: the complete reference"),
        ("Order 77 - Shop", "<table><tr><td><h1>Order 77</h1>Thanks</table>", "Order 77 - Shop"),
        ("Page - Site", "<h1>Page</h1>", "Page"),
        ("Page | Site", "<h1>Page</h1>", "Page"),
        ("Page", "<h2>Page</h2>", "Page"),
    ],
)
def test_a_title_is_left_out_only_where_a_heading_says_all_of_it_but_the_site(
    title: str, body: str, heading: str
) -> None:
    [page] = pages(f"<!doctype html><title>{title}</title>{body}<p>t</p>".encode())
    assert page.headings[0].title == heading
