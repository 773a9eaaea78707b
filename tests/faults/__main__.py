"""`python -m tests.faults`: break the real system, judge what it says, print the table.

Each part is a requirement of RELIABILITY.md in one of two sizes; every run adds a line to the
ledger, and the figure of a requirement is the sum over its runs.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.faults.bugs import BUGS
from tests.faults.ledger import Ledger
from tests.faults.parts import PARTS, Part, Size
from tests.faults.report import publish
from tests.faults.requirements import seeded_bugs
from tests.harness.service import CHECKOUT

PAGE = CHECKOUT / "docs" / "reliability.md"
#: So many seeds a bug is given to show itself.
BUDGET_SEEDS = 3


def main(arguments: list[str]) -> int:
    """Run parts; give 1 where one of them found a fault."""
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _end)
    ledger = Ledger(given.ledger) if given.ledger else None
    if given.bugs:
        return 0 if _catch(given.bugs, given.seed) else 1
    clean = True
    for part in _wanted(given.parts, short=given.short):
        for seed in range(given.seed, given.seed + given.times):
            clean &= _run(part, Size.SHORT if given.short else Size.LONG, seed, ledger)
    if ledger is not None and given.publish:
        publish(PAGE, ledger.read())
    return 0 if clean else 1


def _end(number: int, frame: object) -> None:
    """End what was started, like Ctrl-C; one signal is enough, a second would cut that short."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _wanted(names: Sequence[str], *, short: bool) -> list[Part]:
    """The parts of these names, all where none is given, that have the form asked for."""
    parts = [part for part in PARTS if not names or part.name in names]
    return [part for part in parts if not short or part.short]


def _catch(bugs: Sequence[str], seed: int) -> bool:
    """Run broken variants until each is caught, or its budget of seeds is spent."""
    caught = [_caught(bug, seed) for bug in (BUGS if "all" in bugs else bugs)]
    print(f"caught {sum(caught)} of {len(caught)}")
    return all(caught)


def _caught(bug: str, first_seed: int) -> bool:
    for seed in range(first_seed, first_seed + BUDGET_SEEDS):
        with tempfile.TemporaryDirectory(prefix="vectorize-faults-") as folder:
            run = seeded_bugs.run_one(bug, Path(folder), seed=seed, say=_say)
            outcome = asyncio.run(run)
        told = "NOT CAUGHT" if outcome.clean else "caught"
        print(f"{bug}, seed {seed}: {told}: {outcome.line()}", flush=True)
        if not outcome.clean:
            return True
    return False


def _run(part: Part, size: Size, seed: int, ledger: Ledger | None) -> bool:
    print(f"{part.name} ({size}), seed {seed}: {part.title}", flush=True)
    with tempfile.TemporaryDirectory(prefix="vectorize-faults-") as folder:
        outcome = asyncio.run(part.run(Path(folder), size, seed, _say))
    print(outcome.line(), flush=True)
    if ledger is not None:
        ledger.add(outcome)
    return outcome.clean


def _say(text: str) -> None:
    print(text, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(p.name for p in PARTS))
    parser.add_argument(
        "--bugs", nargs="+", metavar="BUG", help=f"broken variants instead: all, {', '.join(BUGS)}"
    )
    parser.add_argument("--short", action="store_true", help="the short form of each part")
    parser.add_argument("--seed", type=int, default=1, help="of the first run (default 1)")
    parser.add_argument("--times", type=int, default=1, help="runs of each part, a seed each")
    parser.add_argument("--ledger", type=Path, help="add a line a run to this file")
    parser.add_argument("--publish", action="store_true", help="write the page from the ledger")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
