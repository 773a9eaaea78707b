"""The demo's texts: the docstrings of the running Python's standard library."""

import sys
from functools import cache
from pathlib import Path

from scripts.demo.docstrings import LEAST_CHARS, MOST_CHARS, Docstring, collect


@cache
def real_texts() -> tuple[Docstring, ...]:
    return tuple(collect())


def test_the_standard_library_gives_thousands_of_texts() -> None:
    assert len(real_texts()) > 3_000


def test_no_name_stands_twice_and_each_is_a_valid_item_id() -> None:
    names = [docstring.item for docstring in real_texts()]
    assert len(set(names)) == len(names)
    assert [name for name in names if not (name.isprintable() and len(name) <= 256)] == []


def test_no_text_is_empty_or_too_long() -> None:
    sizes = [len(docstring.text) for docstring in real_texts()]
    assert (min(sizes) >= LEAST_CHARS, max(sizes) <= MOST_CHARS) == (True, True)
    assert [d for d in real_texts() if d.text != d.text.strip()] == []


def test_known_docstrings_are_among_them() -> None:
    texts = {docstring.item: docstring.text for docstring in real_texts()}
    assert texts["gzip.open"].startswith("Open a gzip-compressed file")
    assert {"argparse", "asyncio.tasks.wait_for", "json.decoder.JSONDecoder.decode"} <= texts.keys()


def test_tests_and_installed_packages_are_left_out() -> None:
    tops = {docstring.item.split(".")[0] for docstring in real_texts()}
    assert tops <= sys.stdlib_module_names
    assert not tops & {"test", "idlelib", "lib2to3"}


def test_a_limit_takes_the_first_ones() -> None:
    assert tuple(collect(limit=5)) == real_texts()[:5]


def test_only_definitions_are_read_and_a_broken_file_harms_only_itself(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text(
        '"""A module of some length."""\n'
        "class A:\n"
        '    """A class of some length."""\n'
        "    if True:\n"
        '        def f(self): """   A method,\n\n        with an indent."""\n'
        "    else:\n"
        '        def f(self): """The same name once more."""\n'
        'def short(): """Short."""\n'
        "def none(): pass\n"
    )
    (tmp_path / "gzip.py").write_text("def broken(:")
    (tmp_path / "not_of_the_library.py").write_text('"""Something else entirely."""')
    assert collect(tmp_path) == [
        Docstring("json", "A module of some length."),
        Docstring("json.A", "A class of some length."),
        Docstring("json.A.f", "A method,\n\nwith an indent."),
    ]
