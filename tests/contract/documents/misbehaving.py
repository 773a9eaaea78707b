"""A process that reads documents and does what the document's text tells it."""

import os
import signal
import sys
import time

import documents.child
from documents import extraction
from models.documents import Extraction

HANGS, EXITS, KILLS, EATS, GROWS, BABBLES, CONFUSED = (
    b"hang now", b"exit now", b"kill now", b"eat now", b"grow now", b"babble now", b"confuse now",
)  # fmt: skip
EXIT_CODE = 7
_kept: list[bytearray] = []


def extract(content: bytes, *given: object, **named: object) -> Extraction:
    if content == HANGS:
        time.sleep(600)
    if content == EXITS:
        os._exit(EXIT_CODE)
    if content == KILLS:
        os.kill(os.getpid(), signal.SIGSEGV)
    if content == EATS:
        _kept.append(bytearray(1 << 33))
    if content == GROWS:
        _kept.append(bytearray(220 << 20))
    if content == BABBLES:
        _answer(b"no json\n")
    if content == CONFUSED:
        _answer(b'{"refused": {"code": "document_no_text", "message": ""}, "number": 99}\n')
    return extraction.extract(content, *given, **named)  # type: ignore[arg-type]


def _answer(line: bytes) -> None:
    """Write where the process writes its answers."""
    os.write(int(sys.argv[1]) if len(sys.argv) > 1 else 3, line)


if __name__ == "__main__":
    documents.child.extract = extract  # type: ignore[attr-defined]
    documents.child.main()
