"""What may be purged is left out of the judging, and nothing else is."""

import numpy as np

from tests.faults.forgetting import gone_by, history_without, view_without
from tests.faults.history import Note, Op, Phase
from tests.faults.view import Happening, StoredObject, SystemView, TaskRecord, TaskView
from tests.unit.models.making import accepted


def note(op: Op, task: str | None = None, *, at_ns: int = 0, **facts: object) -> Note:
    return Note(client="c", op=op, task=task, at_ns=at_ns, phase=Phase.OK, **facts)  # type: ignore[arg-type]


def test_gone_may_be_what_was_seen_final_so_long_ago() -> None:
    history = [
        note(Op.READ, "old", at_ns=5, state="completed"),
        note(Op.READ, "young", at_ns=50, state="completed"),
        note(Op.READ, "open", at_ns=5, state="processing"),
        note(Op.SUBMIT, "new", at_ns=5, state="completed", key="k"),
    ]
    assert gone_by(history, 10) == {"old": "completed"}


def test_of_a_task_that_is_gone_no_note_is_left_not_even_an_unanswered_submit() -> None:
    asked = Note(client="c", op=Op.SUBMIT, key="k-old")
    kept = Note(client="c", op=Op.SUBMIT, key="k-new")
    history = [
        asked,
        asked.ended(Phase.UNKNOWN),
        asked.ended(Phase.OK, task="old"),
        kept,
        kept.ended(Phase.OK, task="new"),
        note(Op.READ, "old"),
        note(Op.READ, "new"),
    ]
    assert history_without({"old"}, history) == [
        kept,
        kept.ended(Phase.OK, task="new"),
        history[-1],
    ]


def test_a_view_keeps_what_is_not_gone() -> None:
    both = ("old", "new")
    vector = np.zeros(2, np.float32)
    view = SystemView(
        tasks={task: TaskView("completed", 1, 1, 0) for task in both},
        announced=[(task, "completed") for task in both],
        objects=[StoredObject(task, 0, "id", "text", vector) for task in both],
        task_records=[TaskRecord(0, at, task) for at, task in enumerate(both)],
        happenings=[Happening(at, 0, accepted(task_id=task)) for at, task in enumerate(both)],
    )
    left = view_without({"old"}, view)
    assert list(left.tasks) == ["new"]
    assert left.announced == [("new", "completed")]
    assert [each.task for each in left.objects] == ["new"]
    assert [each.task for each in left.task_records] == ["new"]
    assert [each.event.task_id for each in left.happenings] == ["new"]
