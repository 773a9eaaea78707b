"""The ledger: one JSON line a run, so that figures add up over days and commits."""

from pathlib import Path

from tests.faults.outcome import Outcome


class Ledger:
    """A file of outcomes."""

    def __init__(self, path: Path) -> None:
        """Append to `path`, which need not exist yet."""
        self.path = path

    def add(self, outcome: Outcome) -> None:
        """Write a run down."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as lines:
            lines.write(outcome.model_dump_json() + "\n")

    def read(self) -> list[Outcome]:
        """Every run so far, the oldest first."""
        if not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8").splitlines()
        return [Outcome.model_validate_json(line) for line in lines]
