"""Work goes on while one kind of fault strikes again and again; then everything is judged."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.faults.checker import Verdict
from tests.faults.history import read_history
from tests.faults.outcome import Outcome, outcome_of
from tests.faults.rig import Rig, Shape, rig
from tests.faults.rules_of_clients import reads_ms
from tests.faults.striking import Fault, strike_while


async def run(
    folder: Path,
    *,
    name: str,
    title: str,
    fault: Fault,
    strikes: int,
    shape: Shape,
    seed: int,
    say: Callable[[str], None],
) -> Outcome:
    """Strike `strikes` times; the load of `shape` goes on for at least so long."""
    async with rig(shape, folder, seed=seed, say=say) as trial:
        recovered_s = await strike_while(trial, strikes, fault)
        verdict = await trial.judge()
        facts = {f"most {name}": max(values) for name, values in trial.measured.items()}
        facts["slowest answer to a submit, s"] = round(verdict.slowest_submit_s, 2)
        facts |= _told(verdict) | _reads(trial)
    return outcome_of(
        name,
        title,
        seed=seed,
        trials=len(recovered_s),
        verdict=verdict,
        recovered_s=recovered_s,
        faults={
            "not recovered": trial.unrecovered,
            # No deadline is so short here that it may pass.
            "wrongly expired": verdict.states.get("expired", 0),
        },
        facts=facts,
    )


def _told(verdict: Verdict) -> dict[str, float]:
    """What the log of events tells beside."""
    facts: dict[str, float] = {"late words rejected": verdict.told.rejected}
    if verdict.told.stop_s:
        facts["cancel to stop p95, s"] = round(float(np.percentile(verdict.told.stop_s, 95)), 2)
    return facts


def _reads(trial: Rig) -> dict[str, float]:
    """How much slower reads were while faults lasted, as clients saw it."""
    during, calm = reads_ms(read_history(trial.clients.history.path), trial.struck_ns)
    if not during or not calm:
        return {}
    p95 = [float(np.percentile(took, 95)) for took in (during, calm)]
    return {"reads p95 in a fault, ms": round(p95[0], 1), "and in calm, ms": round(p95[1], 1)}
