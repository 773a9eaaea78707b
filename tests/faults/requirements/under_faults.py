"""Work goes on while one kind of fault strikes again and again; then everything is judged."""

from collections.abc import Callable
from pathlib import Path

from tests.faults.outcome import Outcome, outcome_of
from tests.faults.rig import Shape, rig
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
