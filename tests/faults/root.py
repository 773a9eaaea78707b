"""`faust` with faults: the service's own composition root, and what is broken about it.

Called like `faust -A faust_app worker`, as `python -m tests.faults.root …`. What is to go wrong
stands in FAULTS, as JSON: see `Faults`. Nothing of this is shipped.
"""

import asyncio
import os
import random
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from faust.cli.faust import cli

from agents import upkeep
from agents.embed import Embed
from embedding import isolation, loading
from embedding.catalog import ModelEntry
from embedding.encoder import Encoder
from embedding.lanes import LaneBatcher
from embedding.loading import LoadOptions
from models.clock import SystemClock
from stores.weaviate import WeaviateStore
from streams.records import Record
from tests.faults import failing, points, raising
from tests.faults.bugs import BUGS, NAIVE
from tests.faults.orders import VARIABLE, Faults
from tests.harness.poison import PoisonedEncoder


def apply(faults: Faults) -> None:
    """Break this process accordingly."""
    dice = random.Random(f"{faults.seed} {os.getpid()}")
    failing.let_fail(faults, dice)
    if faults.slow_s:
        _slow_down(faults.slow_s, dice)
    if faults.units_skipped:
        _skip_units(faults.units_skipped, dice)
    if faults.retention_s is not None:
        _purge_after(faults.retention_s)
    if faults.skew_s:
        _set_clock(dice.choice((-1, 1)) * faults.skew_s)
    if faults.poison:
        _poison_models()
    points.arm(faults.armed)
    if faults.raising is not None:
        raising.obey(Path(faults.raising))
    if faults.bug is not None:
        {**BUGS, "naive": NAIVE}[faults.bug].plant()


def _slow_down(most_s: float, dice: random.Random) -> None:
    for owner, method in ((LaneBatcher, "encode"), (WeaviateStore, "write")):
        setattr(owner, method, _slowly(getattr(owner, method), most_s, dice))


def _slowly(whole: Any, most_s: float, dice: random.Random) -> Any:
    async def slow(*given: Any, **more: Any) -> Any:
        await asyncio.sleep(dice.uniform(0, most_s))
        return await whole(*given, **more)

    return slow


def _skip_units(share: float, dice: random.Random) -> None:
    begin = Embed.begin

    async def forgetful(self: Embed, record: Record) -> Awaitable[None] | None:
        return None if dice.random() < share else await begin(self, record)

    Embed.begin = forgetful  # type: ignore[method-assign]


def _purge_after(seconds: float) -> None:
    upkeep.HOUR_MS = round(seconds * 1000)
    os.environ["VECTORIZE_MASTER_TASK_RETENTION_HOURS"] = "1"


def _set_clock(ahead_s: float) -> None:
    now_ms = SystemClock.now_ms

    def wrong(self: SystemClock) -> int:
        return now_ms(self) + int(ahead_s * 1000)

    SystemClock.now_ms = wrong  # type: ignore[method-assign]


def _poison_models() -> None:
    load = loading._load

    def poisoned(entry: ModelEntry, choice: Any, options: LoadOptions) -> list[Encoder]:
        return [PoisonedEncoder(each) for each in load(entry, choice, options)]

    loading._load = poisoned
    isolation.COMMAND = (sys.executable, "-m", "tests.harness.poisoned_child")


if __name__ == "__main__":
    apply(Faults.model_validate_json(os.environ.get(VARIABLE, "{}")))
    cli()
