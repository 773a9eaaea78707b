"""Ten broken variants of the service: each must be caught, or all other zeros say nothing."""

from collections.abc import Callable
from pathlib import Path

from tests.faults.bugs import BUGS
from tests.faults.faults import flush
from tests.faults.outcome import Outcome
from tests.faults.requirements import mixed, r11_poison

NAME = "bugs"
TITLE = "variants that are broken on purpose"
#: A task that takes longer is lost here; without a bug, tasks of this trial take half of it.
PATIENCE_S = 25.0
#: These show in other trials than the mixed one.
BY_POISON = frozenset({"attempts-after-work"})
BY_FLUSHES = frozenset({"state-in-redis"})


async def run_one(bug: str, folder: Path, *, seed: int, say: Callable[[str], None]) -> Outcome:
    """Run one variant; it is caught where its outcome is not clean."""
    say(f"  {bug}: {BUGS[bug].what}")
    if bug in BY_POISON:
        return await r11_poison.run(folder, poisons=1, texts=8, seed=seed, say=say, bug=bug)
    return await mixed.run(
        folder,
        tasks=150,
        texts=8,
        strikes=8,
        seed=seed,
        say=say,
        bug=bug,
        patience_s=PATIENCE_S,
        fault=flush if bug in BY_FLUSHES else mixed.KILLS_AND_FLUSHES,
    )
