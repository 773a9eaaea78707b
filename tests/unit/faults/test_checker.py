"""The checker: a good history is clean, and each kind of bad one is found as what it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from models.vectors import Vector
from tests.faults.checker import Verdict, bound_95, check
from tests.faults.history import HistoryWriter, Note, Op, Phase, read_history
from tests.faults.view import (
    CommitSample,
    Fault,
    StoredObject,
    SystemView,
    TaskRecord,
    TaskView,
)

#: What a text holds that is to fail.
BAD = " bad"


def vectors_of(texts: Sequence[str]) -> Vector:
    """Other texts, other directions."""
    rows = [np.random.default_rng(list(text.encode())).standard_normal(8) for text in texts]
    return np.asarray(rows, dtype=np.float32)


@dataclass
class Case:
    """A good trial of two tasks of two texts, for tests to spoil."""

    notes: list[Note] = field(default_factory=list)
    tasks: dict[str, TaskView] = field(default_factory=dict)
    announced: list[tuple[str, str]] = field(default_factory=list)
    objects: list[StoredObject] = field(default_factory=list)
    records: list[TaskRecord] = field(default_factory=list)
    dead: list[tuple[int, int]] = field(default_factory=list)
    commits: list[CommitSample] = field(default_factory=list)
    texts: dict[str, list[str]] = field(default_factory=dict)
    now_ns: int = 0

    def note(self, op: Op, phase: Phase = Phase.OK, took_ns: int = 5, **facts: object) -> None:
        """An operation that begins now and takes so long."""
        self.now_ns += 10
        told = Note(client="c", op=op, at_ns=self.now_ns, **facts)  # type: ignore[arg-type]
        self.notes.append(told)
        self.notes.append(told.ended(phase).model_copy(update={"at_ns": self.now_ns + took_ns}))

    def read(self, task: str, state: str, stored: int, **more: int) -> None:
        facts = {"state": state, "stored": stored, "failed": 0, "progress": stored / 2}
        self.note(Op.READ, task=task, **facts, **more)  # type: ignore[arg-type]

    def finished(self, task: str) -> None:
        number = len(self.tasks)
        self.texts[task] = [f"{task} text {index}" for index in range(2)]
        self.note(Op.SUBMIT, task=task, key=f"key of {task}", state="pending")
        self.read(task, "processing", 1)
        self.read(task, "completed", 2)
        self.tasks[task] = TaskView("completed", total=2, stored=2, failed=0)
        self.announced.append((task, "completed"))
        self.records.append(TaskRecord(0, number, task))
        for index, text in enumerate(self.texts[task]):
            [vector] = vectors_of([text])
            self.objects.append(StoredObject(task, index, f"{task}/{index}", text, vector))

    def judged(self) -> Verdict:
        view = SystemView(
            self.tasks, self.announced, self.objects, self.records, self.dead, self.commits
        )
        return check(self.notes, view, self.texts, vectors_of, bad=lambda text: BAD in text)

    @property
    def kinds(self) -> set[Fault]:
        return {finding.kind for finding in self.judged().findings}


@pytest.fixture
def case() -> Case:
    case = Case()
    case.finished("a")
    case.finished("b")
    return case


def test_a_good_history_is_clean(case: Case) -> None:
    case.commits.append(CommitSample("g", "t", 0, committed=5, finished_to=5))
    verdict = case.judged()
    assert verdict.findings == ()
    assert (verdict.acked, verdict.objects, verdict.samples) == (2, 4, 1)
    assert verdict.least_cosine == pytest.approx(1)


def _lose(case: Case) -> None:
    case.tasks["a"] = TaskView("processing", total=2, stored=2, failed=0)
    case.announced = [("b", "completed")]
    case.notes = [note for note in case.notes if (note.task, note.state) != ("a", "completed")]
    case.objects = [each for each in case.objects if each.task != "a"]


def _vanish(case: Case) -> None:
    del case.tasks["a"]
    case.objects = [each for each in case.objects if each.task != "a"]
    case.dead.append((0, 0))


def _appear(case: Case) -> None:
    case.tasks["c"] = TaskView("failed", total=1, stored=0, failed=1)


def _twice(case: Case) -> None:
    case.note(Op.SUBMIT, task="b", key="key of a", state="pending")


def _second_object(case: Case) -> None:
    case.objects.append(replace(case.objects[0], object_id="other"))


def _drop_object(case: Case) -> None:
    case.objects.pop()


def _cancelled_with_objects(case: Case) -> None:
    case.finished("c")
    case.tasks["c"] = TaskView("cancelled", total=2, stored=2, failed=0)
    case.announced[-1] = ("c", "cancelled")
    case.notes = [note for note in case.notes if (note.task, note.state) != ("c", "completed")]


def _object_of_nobody(case: Case) -> None:
    case.objects.append(replace(case.objects[0], task="nobody"))


def _swap_vectors(case: Case) -> None:
    one, other = case.objects[0], case.objects[3]
    case.objects[0] = replace(one, vector=other.vector)
    case.objects[3] = replace(other, vector=one.vector)


def _nan(case: Case) -> None:
    case.objects[0] = replace(case.objects[0], vector=np.full(8, np.nan, dtype=np.float32))


def _swap_texts(case: Case) -> None:
    one, other = case.objects[:2]
    case.objects[0] = replace(one, index=1)
    case.objects[1] = replace(other, index=0)


def _go_back(case: Case) -> None:
    case.read("a", "processing", 1)


def _fewer_stored(case: Case) -> None:
    case.finished("c")
    case.notes[-1] = case.notes[-1].model_copy(update={"stored": 0})


def _other_final_state(case: Case) -> None:
    case.announced.append(("a", "failed"))


def _not_found(case: Case) -> None:
    case.note(Op.READ, Phase.FAIL, task="a", status=404)


def _cancel_ignored(case: Case) -> None:
    case.note(Op.CANCEL, task="a", state="cancelled")


def _innocent_failed(case: Case) -> None:
    case.finished("c")
    case.tasks["c"] = TaskView("completed", total=2, stored=1, failed=1)
    case.objects.pop()


def _bad_stored(case: Case) -> None:
    case.finished("c")
    case.texts["c"][1] += BAD
    [vector] = vectors_of([case.texts["c"][1]])
    case.objects[-1] = replace(case.objects[-1], text=case.texts["c"][1], vector=vector)


def _commit_too_far(case: Case) -> None:
    case.commits.append(CommitSample("g", "t", 0, committed=6, finished_to=5))


def _record_of_nothing(case: Case) -> None:
    case.records.append(TaskRecord(1, 7, "c"))


@pytest.mark.parametrize(
    "spoil, kinds",
    [
        (_lose, {Fault.LOST}),
        (_vanish, {Fault.LOST}),
        (_appear, {Fault.UNEXPECTED}),
        (_twice, {Fault.DUPLICATE_TASK}),
        (_second_object, {Fault.DUPLICATE_RESULT}),
        (_drop_object, {Fault.MISSING_RESULT}),
        (_cancelled_with_objects, {Fault.ORPHAN}),
        (_object_of_nobody, {Fault.ORPHAN}),
        (_swap_vectors, {Fault.WRONG_VECTOR}),
        (_nan, {Fault.WRONG_VECTOR}),
        (_swap_texts, {Fault.WRONG_TEXT}),
        (_go_back, {Fault.BACKWARD}),
        (_fewer_stored, {Fault.BACKWARD}),
        (_other_final_state, {Fault.ILLEGAL}),
        (_not_found, {Fault.FORGOTTEN}),
        (_cancel_ignored, {Fault.CANCEL_IGNORED, Fault.ILLEGAL}),
        (_innocent_failed, {Fault.INNOCENT_FAILED}),
        (_bad_stored, {Fault.BAD_STORED}),
        (_commit_too_far, {Fault.OFFSET_PAST_UNFINISHED}),
        (_record_of_nothing, {Fault.UNACCOUNTED}),
    ],
)
def test_each_kind_of_fault_is_found_as_what_it_is(
    case: Case, spoil: Callable[[Case], None], kinds: set[Fault]
) -> None:
    spoil(case)
    assert case.kinds == kinds


def test_every_kind_of_fault_has_a_bad_history() -> None:
    [mark] = [
        mark
        for mark in test_each_kind_of_fault_is_found_as_what_it_is.pytestmark  # type: ignore[attr-defined]
        if mark.name == "parametrize"
    ]
    assert set().union(*(kinds for _, kinds in mark.args[1])) == set(Fault)


def test_reads_that_overlap_may_end_in_any_order(case: Case) -> None:
    case.finished("c")
    case.now_ns += 1000
    case.read("c", "completed", 2, took_ns=100)
    case.notes[-1], case.notes[-2] = case.notes[-2], case.notes[-1]
    case.finished("d")
    # One began before the final one ended, and shows what stood before.
    before = Note(client="r", op=Op.READ, task="d", at_ns=case.now_ns - 1)
    facts = {"state": "processing", "stored": 1, "failed": 0, "progress": 0.5}
    late = before.ended(Phase.OK, **facts).model_copy(update={"at_ns": case.now_ns + 500})
    case.notes += [before, late]
    assert case.kinds == set()


def test_a_submit_without_an_answer_may_have_happened_or_not(case: Case) -> None:
    for key in ("x", "y"):
        case.note(Op.SUBMIT, Phase.UNKNOWN, key=key)
    case.tasks["c"] = TaskView("failed", total=1, stored=0, failed=1)
    assert case.kinds == set()
    verdict = case.judged()
    assert (verdict.unknown, verdict.recovered) == (2, 0)


def test_an_answer_at_a_later_try_is_recovered(case: Case) -> None:
    case.note(Op.SUBMIT, Phase.UNKNOWN, key="key of c")
    case.finished("c")
    verdict = case.judged()
    assert (verdict.findings, verdict.unknown, verdict.recovered) == ((), 1, 1)


def test_announcing_twice_is_counted_and_no_fault(case: Case) -> None:
    case.announced.append(("a", "completed"))
    verdict = case.judged()
    assert (verdict.findings, verdict.announced_again) == ((), 1)


def test_a_404_for_a_read_that_began_before_the_submit_was_accepted_is_none(case: Case) -> None:
    early = Note(client="r", op=Op.READ, task="a", at_ns=1)
    end = early.ended(Phase.FAIL, status=404).model_copy(update={"at_ns": 999})
    case.notes += [early, end]
    assert case.kinds == set()


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    times = iter(range(1, 100))
    writer = HistoryWriter(tmp_path / "history.jsonl", lambda: next(times))
    begun = writer.add(Note(client="c", op=Op.SUBMIT, key="k", texts=3))
    ended = writer.add(begun.ended(Phase.OK, status=202, task="t", state="pending"))
    writer.close()
    assert read_history(writer.path) == [begun, ended]
    assert (ended.began_ns, ended.at_ns) == (1, 2)


@pytest.mark.parametrize("trials, percent", [(20, 13.9), (100, 3.0), (1000, 0.3)])
def test_the_bound_of_zero_failures_falls_with_their_trials(trials: int, percent: float) -> None:
    assert bound_95(trials) * 100 == pytest.approx(percent, abs=0.05)
