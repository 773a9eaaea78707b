"""A history and a view without some tasks: those that may have been purged meanwhile. Pure."""

from collections.abc import Container, Sequence
from dataclasses import replace

from tests.faults.clients import FINAL
from tests.faults.history import Note, Op, Phase, ends
from tests.faults.view import SystemView


def gone_by(history: Sequence[Note], before_ns: int) -> dict[str, str]:
    """The tasks that a client saw final before then, each with its state."""
    return {
        str(note.task): str(note.state)
        for note in ends(history, Op.READ, Phase.OK)
        if note.state in FINAL and note.at_ns < before_ns
    }


def history_without(gone: Container[str], history: Sequence[Note]) -> list[Note]:
    """Leave out all that was tried and told of these tasks."""
    keys = {note.key for note in ends(history, Op.SUBMIT, Phase.OK) if note.task in gone}
    return [note for note in history if note.task not in gone and (note.key or "") not in keys]


def view_without(gone: Container[str], view: SystemView) -> SystemView:
    """Leave out all that the system says of these tasks; commits stay, they name none."""
    return replace(
        view,
        tasks={task: each for task, each in view.tasks.items() if task not in gone},
        announced=[each for each in view.announced if each[0] not in gone],
        objects=[each for each in view.objects if each.task not in gone],
        task_records=[each for each in view.task_records if each.task not in gone],
        happenings=[each for each in view.happenings if each.event.task_id not in gone],
    )
