"""Words for the person who waits: always stderr, so that stdout stays for machines."""

import sys
from collections.abc import Callable

Say = Callable[[str], None]
"""Takes one line of progress."""


def say_to_stderr(line: str) -> None:
    """Shows one line at once."""
    print(line, file=sys.stderr, flush=True)


def say_nothing(_line: str) -> None:
    """Drops the line: for callers that only want the result."""
