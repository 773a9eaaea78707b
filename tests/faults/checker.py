"""Judges a history by what the system says after a drain. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.faults import rules_of_clients, rules_of_results
from tests.faults.happenings import Told, told_by
from tests.faults.history import Note, Op, Phase, ends
from tests.faults.rules_of_results import Bad, Reference, Texts
from tests.faults.view import Finding, SystemView

RULES_OF_CLIENTS = (
    rules_of_clients.lost,
    rules_of_clients.unexpected,
    rules_of_clients.duplicate_tasks,
    rules_of_clients.forgotten,
    rules_of_clients.backward,
    rules_of_clients.left_final,
    rules_of_clients.cancel_ignored,
)
RULES_OF_RESULTS = (
    rules_of_results.duplicates,
    rules_of_results.missing,
    rules_of_results.orphans,
    rules_of_results.commits,
    rules_of_results.unaccounted,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, and how much was looked at."""

    findings: tuple[Finding, ...]
    acked: int
    unknown: int
    """Submits that were not answered, or by an error of the server."""
    recovered: int
    """Of their keys, those that were accepted at a later try."""
    objects: int
    samples: int
    """Committed offsets that were looked at."""
    announced_again: int
    least_cosine: float | None
    slowest_submit_s: float = 0.0
    states: Mapping[str, int] = field(default_factory=dict)
    """How many tasks ended, or stand, in each state."""
    told: Told = field(default_factory=Told)
    """What the log of events tells beside."""


#: Of what was only measured.
NOTHING_JUDGED = Verdict((), 0, 0, 0, 0, 0, 0, None)


def check(
    history: Sequence[Note],
    view: SystemView,
    texts: Texts,
    reference: Reference,
    *,
    bad: Bad = lambda text: False,  # none is
) -> Verdict:
    """Apply every rule; `texts` are those of the accepted tasks, of which some may be `bad`."""
    cosines = rules_of_results.cosines_of(view.objects, reference)
    findings = [
        *(found for rule in RULES_OF_CLIENTS for found in rule(history, view)),
        *(found for rule in RULES_OF_RESULTS for found in rule(view)),
        *rules_of_results.wrong_texts(view, texts),
        *rules_of_results.wrongly_failed(view, texts, bad),
        *rules_of_results.wrong_vectors(view.objects, cosines),
    ]
    unanswered = {note.key for note in ends(history, Op.SUBMIT, Phase.UNKNOWN)}
    accepted = {note.key for note in ends(history, Op.SUBMIT, Phase.OK)}
    return Verdict(
        findings=tuple(findings),
        acked=len(rules_of_clients.acked(history)),
        unknown=sum(1 for _ in ends(history, Op.SUBMIT, Phase.UNKNOWN)),
        recovered=len(unanswered & accepted),
        objects=len(view.objects),
        samples=len(view.commits),
        announced_again=len(view.announced) - len({task for task, _ in view.announced}),
        least_cosine=min(cosines, default=None),
        slowest_submit_s=rules_of_clients.slowest_submit_s(history),
        states=Counter(task.state for task in view.tasks.values()),
        told=told_by(view.happenings),
    )


def bound_95(trials: int) -> float:
    """The rate that zero failures in so many trials exclude with 95 % confidence."""
    return 1.0 - float(0.05 ** (1.0 / trials))
