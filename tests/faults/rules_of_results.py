"""What was stored and committed, against what was submitted: each vector once, and its own."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from models.vectors import Vector
from tests.faults.view import Fault, Finding, StoredObject, SystemView

LEAST_COSINE = 0.9999
#: Gives `(n, dim) float32`, each text's vector computed alone.
Reference = Callable[[Sequence[str]], Vector]
#: Tells a text that is to fail.
Bad = Callable[[str], bool]
#: The texts of each accepted task.
Texts = Mapping[str, Sequence[str]]


def duplicates(view: SystemView) -> Iterator[Finding]:
    """Items with more than one object."""
    found = Counter((each.task, each.index) for each in view.objects)
    for (task, index), count in found.items():
        if count > 1:
            yield Finding(Fault.DUPLICATE_RESULT, task, f"item {index} has {count} objects")


def missing(view: SystemView) -> Iterator[Finding]:
    """Completed tasks with fewer items in the store than they say."""
    items: defaultdict[str, set[int]] = defaultdict(set)
    for each in view.objects:
        items[each.task].add(each.index)
    for task, row in view.tasks.items():
        if row.state == "completed" and len(items[task]) < row.stored:
            yield Finding(
                Fault.MISSING_RESULT, task, f"{len(items[task])} of {row.stored} items are stored"
            )


def orphans(view: SystemView) -> Iterator[Finding]:
    """Objects of tasks that are to have none."""
    for each in view.objects:
        row = view.tasks.get(each.task)
        state = row.state if row is not None else "unknown"
        if state != "completed":
            yield Finding(Fault.ORPHAN, each.task, f"item {each.index} of a task that is {state}")


def wrong_texts(view: SystemView, texts: Texts) -> Iterator[Finding]:
    """Objects that hold another text than was submitted under their index."""
    for each in view.objects:
        submitted = texts.get(each.task)
        if submitted is not None and submitted[each.index] != each.text:
            yield Finding(Fault.WRONG_TEXT, each.task, f"item {each.index} holds another text")


def wrongly_failed(view: SystemView, texts: Texts, bad: Bad) -> Iterator[Finding]:
    """Tasks of which more, or fewer, items failed than had a bad text."""
    for task, row in view.tasks.items():
        culprits = sum(map(bad, texts.get(task, ())))
        if task in texts and row.state in {"completed", "failed"} and row.failed != culprits:
            kind = Fault.INNOCENT_FAILED if row.failed > culprits else Fault.BAD_STORED
            yield Finding(kind, task, f"{row.failed} items failed, {culprits} were bad")


def wrong_vectors(objects: Sequence[StoredObject], cosines: Sequence[float]) -> Iterator[Finding]:
    """Objects whose vector is too far from that of their text."""
    for each, cosine in zip(objects, cosines, strict=True):
        if not cosine >= LEAST_COSINE:  # NaN too
            yield Finding(Fault.WRONG_VECTOR, each.task, f"item {each.index}: cosine {cosine:.6f}")


def cosines_of(objects: Sequence[StoredObject], reference: Reference) -> list[float]:
    """How near each object's vector is to its text's, computed alone."""
    if not objects:
        return []
    right = reference([each.text for each in objects]).astype(np.float64)
    stored = np.stack([each.vector for each in objects]).astype(np.float64)
    norms = np.linalg.norm(right, axis=1) * np.linalg.norm(stored, axis=1)
    with np.errstate(all="ignore"):
        return list(map(float, (right * stored).sum(axis=1) / norms))


def commits(view: SystemView) -> Iterator[Finding]:
    """Offsets that were committed too far."""
    for each in view.commits:
        if each.committed > each.finished_to:
            yield Finding(
                Fault.OFFSET_PAST_UNFINISHED,
                None,
                f"{each.group} {each.topic}[{each.partition}]: committed {each.committed}, "
                f"finished to {each.finished_to}",
            )


def unaccounted(view: SystemView) -> Iterator[Finding]:
    """Records of the topic of tasks that became nothing."""
    dead = set(view.dead)
    for record in view.task_records:
        if record.task not in view.tasks and (record.partition, record.offset) not in dead:
            place = f"partition {record.partition}, offset {record.offset}"
            yield Finding(Fault.UNACCOUNTED, record.task, place)
