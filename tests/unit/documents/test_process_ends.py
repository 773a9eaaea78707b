"""An exit code and what was printed last, as a sentence."""

import signal

import pytest

from documents.process import how_it_ended
from documents.reading import _ending


def test_a_library_that_got_no_memory_says_so_as_it_dies() -> None:
    said = b"memory allocation of 17179869184 bytes failed\nstack backtrace: ..."
    ended = how_it_ended(-signal.SIGABRT, said)
    assert ended.out_of_memory
    assert "SIGABRT" in str(ended)


def test_a_death_that_may_be_for_want_of_memory_names_the_setting() -> None:
    ended = how_it_ended(-signal.SIGKILL, b"")
    assert not ended.out_of_memory
    assert "document.memory_mb" in str(ended)


def test_the_time_of_the_processor_is_time() -> None:
    assert how_it_ended(-signal.SIGXCPU, b"").out_of_time
    assert not how_it_ended(-signal.SIGSEGV, b"").out_of_time


def test_what_it_printed_is_not_shown() -> None:
    assert "secret" not in str(how_it_ended(1, b"Traceback: secret text"))


@pytest.mark.parametrize(
    "name, ending",
    [
        ("a.MD", "md"), ("../a/b.tar.gz", "gz"), ("a.md ", "md"), ("a", ""), (None, ""), ("", ""),
        (".md", "md"), ("a.m/d", ""), ("a.\0md", ""), ("a." + "x" * 50, ""),
        ("C:\\x\\y.csv", "csv"),
    ],
)  # fmt: skip
def test_an_ending_is_all_that_is_read_of_a_name(name: str | None, ending: str) -> None:
    assert _ending(name) == ending
