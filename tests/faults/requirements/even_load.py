"""Things fail within the processes while work goes on; every task must be completed even so."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.faults.outcome import Outcome, outcome_of
from tests.faults.rig import Shape, rig
from tests.faults.view import Fault


async def run(
    folder: Path,
    *,
    name: str,
    title: str,
    shape: Shape,
    seed: int,
    say: Callable[[str], None],
    on_purpose: frozenset[Fault] = frozenset(),
) -> Outcome:
    """Do the load of `shape`, whose processes fail as its `faults` say.

    Findings of a kind that is there `on_purpose` are only counted.
    """
    async with rig(shape, folder, seed=seed, say=say) as trial:
        enough = asyncio.Event()
        enough.set()
        await trial.load(enough)
        verdict = await trial.judge()
    caused = [each for each in verdict.findings if each.kind in on_purpose]
    others = tuple(each for each in verdict.findings if each.kind not in on_purpose)
    return outcome_of(
        name,
        title,
        seed=seed,
        trials=verdict.acked,
        verdict=replace(verdict, findings=others),
        faults={"not completed": sum(verdict.states.values()) - verdict.states["completed"]},
        facts={
            **({"done wrong on purpose": len(caused)} if on_purpose else {}),
            "slowest answer to a submit, s": round(verdict.slowest_submit_s, 2),
        },
    )
