"""The code blocks of a page: what a reader types, and what the page says comes back."""

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
_MARK = re.compile(r"<!--\s*(?P<mark>[\w ]+?)(?::\s*(?P<reason>.*?))?\s*-->\s*\Z", re.DOTALL)
#: Languages of what is typed; a block of another one right below is what it prints.
TYPED = frozenset({"bash", "sh", "python"})
PRINTED = frozenset({"json", "text", "http"})


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; `mark` and `reason` come from an HTML comment right above it."""

    language: str
    code: str
    line: int
    mark: str | None = None
    reason: str | None = None
    answer: "Block | None" = None

    @property
    def is_run(self) -> bool:
        """Whether the tests run it."""
        return self.language in TYPED and self.mark != "not run"

    @property
    def stays(self) -> bool:
        """Whether it runs until somebody stops it."""
        return self.mark == "runs until stopped"


def blocks_of(page: Path) -> list[Block]:
    """Read a page's blocks in order; an answer hangs on the block above it."""
    text = page.read_text(encoding="utf-8")
    found: list[Block] = []
    end = 0
    for match in _FENCE.finditer(text):
        between = text[end : match.start()]
        marked = _MARK.search(between)
        block = Block(
            language=match["language"],
            code=match["code"],
            line=text.count("\n", 0, match.start()) + 1,
            mark=marked["mark"] if marked else None,
            reason=marked["reason"] if marked else None,
        )
        answers = block.language in PRINTED and not between.strip() and found
        if answers and found[-1].language in TYPED and found[-1].answer is None:
            asked = found.pop()
            block = Block(asked.language, asked.code, asked.line, asked.mark, asked.reason, block)
        found.append(block)
        end = match.end()
    return found
