"""What clients were told, against what the system says: nothing lost, forgotten or taken back."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from tests.faults.history import Note, Op, Phase, ends
from tests.faults.view import Fault, Finding, SystemView

RANK = {"pending": 0, "processing": 1, "completed": 2, "failed": 2, "cancelled": 2, "expired": 2}
FINAL_RANK = 2
NOT_FOUND = 404


def lost(history: Sequence[Note], view: SystemView) -> Iterator[Finding]:
    """Accepted submits whose task is not final."""
    for task in sorted(acked(history)):
        state = view.tasks[task].state if task in view.tasks else "unknown"
        if RANK.get(state, 0) < FINAL_RANK:
            yield Finding(Fault.LOST, task, f"accepted, but {state}")


def unexpected(history: Sequence[Note], view: SystemView) -> Iterator[Finding]:
    """Tasks in number beyond all submits that may have happened."""
    known = acked(history)
    foreign = [task for task in view.tasks if task not in known]
    open_keys = {note.key for note in ends(history, Op.SUBMIT, Phase.UNKNOWN)} - {
        note.key for note in ends(history, Op.SUBMIT, Phase.OK)
    }
    for task in sorted(foreign)[len(open_keys) :]:
        yield Finding(Fault.UNEXPECTED, task, "nobody submitted it")


def duplicate_tasks(history: Sequence[Note], view: SystemView) -> Iterator[Finding]:
    """Idempotency keys that became more than one task."""
    del view
    tasks: defaultdict[str, set[str]] = defaultdict(set)
    for note in ends(history, Op.SUBMIT, Phase.OK):
        if note.key is not None and note.task is not None:
            tasks[note.key].add(note.task)
    for key, found in tasks.items():
        if len(found) > 1:
            yield Finding(Fault.DUPLICATE_TASK, min(found), f"key {key}: {sorted(found)}")


def forgotten(history: Sequence[Note], view: SystemView) -> Iterator[Finding]:
    """Reads that were begun after the submit was accepted, and found nothing."""
    del view
    since = acked(history)
    for note in ends(history, Op.READ, Phase.FAIL):
        if note.status == NOT_FOUND and note.task in since and note.began_ns > since[note.task]:
            yield Finding(Fault.FORGOTTEN, note.task, f"404 for {note.client}")


def backward(history: Sequence[Note], view: SystemView) -> Iterator[Finding]:
    """Reads that show less than a read which had ended before they began."""
    del view
    for task, reads in _reads(history).items():
        for note, seen in _with_what_was_seen(reads):
            now = _standing(note)
            if any(new < old for new, old in zip(now, seen, strict=True)):
                yield Finding(Fault.BACKWARD, task, f"from {seen} to {now} for {note.client}")


def left_final(history: Sequence[Note], view: SystemView) -> Iterator[Finding]:
    """Tasks that were told in more than one final state."""
    told: defaultdict[str, set[str]] = defaultdict(set)
    for note in history:
        if note.phase is Phase.OK and note.task and RANK.get(note.state or "", 0) == FINAL_RANK:
            told[note.task].add(str(note.state))
    for task, state in view.announced:
        told[task].add(state)
    for task, row in view.tasks.items():
        if RANK[row.state] == FINAL_RANK:
            told[task].add(row.state)
    for task, states in told.items():
        if len(states) > 1:
            yield Finding(Fault.ILLEGAL, task, f"told as {sorted(states)}")


def cancel_ignored(history: Sequence[Note], view: SystemView) -> Iterator[Finding]:
    """Cancels that were confirmed, of tasks that ended otherwise."""
    for note in ends(history, Op.CANCEL, Phase.OK):
        row = view.tasks.get(note.task or "")
        if note.state == "cancelled" and row is not None and row.state != "cancelled":
            yield Finding(Fault.CANCEL_IGNORED, note.task, f"confirmed, but {row.state}")


def slowest_submit_s(history: Sequence[Note]) -> float:
    """How long the slowest answer to a submit took, whatever it said."""
    answered = (note for note in history if note.op is Op.SUBMIT and note.status is not None)
    return max((note.at_ns - note.began_ns for note in answered), default=0) / 1e9


def reads_ms(
    history: Sequence[Note], struck_ns: Sequence[tuple[int, int]]
) -> tuple[list[float], list[float]]:
    """How long answered reads took: those begun while a fault lasted, and the others."""
    during: list[float] = []
    calm: list[float] = []
    for note in history:
        if note.op is Op.READ and note.status is not None:
            struck = any(began <= note.began_ns <= ended for began, ended in struck_ns)
            (during if struck else calm).append((note.at_ns - note.began_ns) / 1e6)
    return during, calm


def acked(history: Sequence[Note]) -> dict[str, int]:
    """The tasks that were accepted, and when the first acceptance arrived (ns)."""
    found: dict[str, int] = {}
    for note in ends(history, Op.SUBMIT, Phase.OK):
        if note.task is not None:
            found.setdefault(note.task, note.at_ns)
    return found


def _reads(history: Sequence[Note]) -> Mapping[str, list[Note]]:
    reads: defaultdict[str, list[Note]] = defaultdict(list)
    for note in history:
        if note.phase is Phase.OK and note.task is not None and note.progress is not None:
            reads[note.task].append(note)
    return reads


Standing = tuple[int, float, int, int]


def _standing(note: Note) -> Standing:
    """How far a read says that its task is."""
    return RANK[str(note.state)], note.progress or 0.0, note.stored or 0, note.failed or 0


def _with_what_was_seen(reads: list[Note]) -> Iterator[tuple[Note, Standing]]:
    """Each read with the most that reads had shown which ended before it began."""
    ended = sorted(reads, key=lambda note: note.at_ns)
    seen: Standing = (0, 0.0, 0, 0)
    at = 0
    for note in sorted(reads, key=lambda note: note.began_ns):
        while ended[at].at_ns < note.began_ns:
            pairs = zip(seen, _standing(ended[at]), strict=True)
            seen = tuple(max(pair) for pair in pairs)  # type: ignore[assignment]  # four again
            at += 1
        yield note, seen
