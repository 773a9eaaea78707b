"""R8, R30: a batch and a key posted again and again while masters die: each is one task, ever."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.clients import ERRORS, PAUSE_S
from tests.faults.history import Note, Op, Phase
from tests.faults.outcome import Outcome, outcome_of
from tests.faults.rig import Rig, Shape, rig, texts_of

NAME = "R30"
TITLE = "batches under one key, and one key posted by many at once, while masters are killed"
ROLES = ("master", "master", "embed", "store")
POSTS_OF_ONE_KEY = 200
LIMIT_S = 120.0


async def run(
    folder: Path, *, batches: int, tasks: int, seed: int, say: Callable[[str], None]
) -> Outcome:
    """Post `batches` of `tasks` each, a master killed in each, until all are taken."""
    shape = Shape(tasks=0, texts=1, roles=ROLES)
    async with rig(shape, folder, seed=seed, say=say) as trial:
        for number in range(batches):
            async with asyncio.timeout(LIMIT_S):
                await asyncio.gather(
                    _batch(trial, number, tasks), _one_key(trial, number), _kill(trial)
                )
            say(f"  batch {number + 1} of {batches}: {len(trial.clients.acked)} tasks so far")
        verdict = await trial.judge()
        missing = batches * (tasks + 1) - len(trial.clients.acked)
    return outcome_of(
        NAME,
        TITLE,
        seed=seed,
        trials=batches,
        verdict=verdict,
        faults={"more or fewer tasks": abs(missing)},
    )


async def _kill(trial: Rig) -> None:
    await asyncio.sleep(trial.dice.uniform(0, 0.5))
    victim = trial.dice.choice(trial.masters)
    await asyncio.to_thread(victim.kill)
    victim.start()
    await victim.ready()


async def _batch(trial: Rig, number: int, tasks: int) -> None:
    """Post a batch under one key until every slot of it is taken."""
    texts = [text for at in range(tasks) for text in texts_of(5_000_000 + number * 10_000 + at, 1)]
    body = [_body(trial, text) for text in texts]
    key = f"{trial.fleet.prefix}-batch-{number}"
    taken: set[int] = set()
    while len(taken) < tasks:
        for index, slot in await _posted(trial, body, key):
            if "task_id" in slot:
                taken.add(index)
                _note(trial, f"{key}#{index}", slot, texts[index])
        await asyncio.sleep(PAUSE_S)


def _body(trial: Rig, text: str) -> dict[str, object]:
    return {"task_type": "text_vectorization", "data": text, "collection": trial.clients.collection}


async def _posted(
    trial: Rig, body: list[dict[str, object]], key: str
) -> list[tuple[int, dict[str, Any]]]:
    master = trial.dice.choice(trial.masters)
    try:
        told = await trial.clients.ask("POST", master.url + "/tasks/batch", json=body, key=key)
    except ERRORS:
        return []
    return list(enumerate(told.body.get("tasks", [])))


def _note(trial: Rig, key: str, slot: dict[str, Any], text: str) -> None:
    """Write down that a slot was taken."""
    begun = trial.clients.history.add(Note(client="batcher", op=Op.SUBMIT, key=key, texts=1))
    facts = {"task": str(slot["task_id"]), "state": str(slot["status"])}
    trial.clients.history.add(begun.ended(Phase.OK, **facts))
    trial.clients.acked[str(slot["task_id"])] = [text]


async def _one_key(trial: Rig, number: int) -> None:
    """Post one text under one key by many at once; each goes on until it is accepted."""
    key = f"{trial.fleet.prefix}-one-{number}"
    texts = texts_of(6_000_000 + number, 1)
    await asyncio.gather(
        *(trial.clients.submit(f"poster-{at}", key, texts) for at in range(POSTS_OF_ONE_KEY))
    )
