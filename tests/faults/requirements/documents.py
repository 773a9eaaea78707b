"""Documents sent again and again, two versions at once at times, while processes are killed.

The last version of each must stand whole and once, each chunk with its own vector, and nothing of
those before it.
"""

import asyncio
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.clients import ERRORS, FINAL, PAUSE_S
from tests.faults.faults import kill
from tests.faults.outcome import Outcome, outcome_of
from tests.faults.reference import Reference
from tests.faults.rig import SUBMIT_LIMIT_S, Rig, Shape, rig
from tests.faults.rules_of_results import LEAST_COSINE, cosines_of
from tests.faults.seeing import stored_objects
from tests.faults.striking import strike_while
from tests.harness import fresh_collection

NAME = "documents"
TITLE = "documents in new versions, two at once at times, while processes of every role are killed"
ROLES = ("master", "master", "extract", "extract", "embed", "store")
PARAGRAPHS = 10
#: Share of sends that are followed by the next version at once.
PAIRS = 0.3
#: So far apart that one is the later by the service's clock, which counts milliseconds.
APART_S = 0.02
LOOK_S = 0.2


@dataclass
class Shelf:
    """The documents, the version of each that was accepted last, and how their tasks ended."""

    trial: Rig
    collection: str
    versions: dict[int, int] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)

    async def fill(self, documents: int, enough: asyncio.Event) -> None:
        """Send every document in version after version, until it is enough."""
        await asyncio.gather(*(self._revise(number, enough) for number in range(documents)))

    async def _revise(self, number: int, enough: asyncio.Event) -> None:
        while not enough.is_set() or number not in self.versions:
            sent = [await self._send(number)]
            if self.trial.dice.random() < PAIRS:
                await asyncio.sleep(APART_S)
                sent.append(await self._send(number))
            for task_id in sent:
                self.states[task_id] = await self._ended(task_id)

    async def _send(self, number: int) -> str:
        version = self.versions.get(number, 0) + 1
        content = "\n\n".join(paragraphs(number, version)).encode()
        body = {
            "task_type": "document_vectorization",
            "task_id": f"{self.collection}-{number}-{version}",
            "document_id": f"document-{number}",
            "data": b64encode(content).decode(),
            "chunk_tokens": 28,  # one paragraph; two are too many
            "chunk_overlap": 0,
            "collection": self.collection,
        }
        async with asyncio.timeout(SUBMIT_LIMIT_S):
            while not await self._accepted(body):  # noqa: ASYNC110  # it is asked for by HTTP
                await asyncio.sleep(PAUSE_S)
        self.versions[number] = version
        return str(body["task_id"])

    async def _accepted(self, body: dict[str, object]) -> bool:
        master = self.trial.dice.choice(self.trial.masters)
        try:
            told = await self.trial.clients.ask("POST", master.url + "/tasks/submit", json=body)
        except ERRORS:
            return False
        return told.status in {200, 202}

    async def _ended(self, task_id: str) -> str:
        """The state that a task came to; the last one seen where that took too long."""
        state, until_s = "unknown", time.monotonic() + self.trial.shape.patience_s
        while state not in FINAL and time.monotonic() < until_s:
            await asyncio.sleep(LOOK_S)
            master = self.trial.dice.choice(self.trial.masters)
            try:
                told = await self.trial.clients.ask("GET", f"{master.url}/tasks/{task_id}")
            except ERRORS:
                continue
            state = str(told.body.get("status", state))
        return state

    def wanted(self) -> Counter[str]:
        """The texts that must stand at the end."""
        return Counter(
            text
            for number, version in self.versions.items()
            for text in paragraphs(number, version)
        )


def paragraphs(number: int, version: int) -> Iterator[str]:
    """Texts of which no two of any document are alike; each version has one of its own."""
    for at in range(PARAGRAPHS):
        own = version if at == (number + version) % PARAGRAPHS else 0
        words = " ".join(f"w{number}x{at}x{word}" for word in range(20))
        yield f"document {number} paragraph {at} version {own} {words}"


async def run(
    folder: Path, *, documents: int, strikes: int, seed: int, say: Callable[[str], None]
) -> Outcome:
    """Kill `strikes` times while `documents` documents are sent in new versions."""
    settings = {
        "VECTORIZE_MASTER_DOCUMENT_BLOB_URL": (folder / "blobs").as_uri(),
        "VECTORIZE_MASTER_DOCUMENT_INLINE_BYTES": "600",
    }
    shape = Shape(tasks=0, texts=1, roles=ROLES, settings=settings, patience_s=120.0)
    async with rig(shape, folder, seed=seed, say=say) as trial:
        shelf = Shelf(trial, fresh_collection())
        recovered_s = await strike_while(
            trial, strikes, kill, load=lambda enough: shelf.fill(documents, enough)
        )
        verdict = await trial.judge(shelf.states)
        stored = list(stored_objects(trial.stack, shelf.collection))
    found, wanted = Counter(each.text for each in stored), shelf.wanted()
    cosines = cosines_of(stored, Reference(shape.model))
    return outcome_of(
        NAME,
        TITLE,
        seed=seed,
        trials=len(recovered_s),
        verdict=verdict,
        recovered_s=recovered_s,
        faults={
            "not recovered": trial.unrecovered,
            "documents not completed": sum(each != "completed" for each in shelf.states.values()),
            "chunks missing": (wanted - found).total(),
            "chunks left over": (found - wanted).total(),
            "wrong vectors": sum(not cosine >= LEAST_COSINE for cosine in cosines),
        },
        facts={"versions sent": sum(shelf.versions.values()), "chunks compared": len(stored)},
    )
