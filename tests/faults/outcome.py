"""What one run of a requirement came to: a line of the ledger, and of the published table."""

import platform
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from statistics import median

from pydantic import BaseModel, ConfigDict

from tests.faults.checker import NOTHING_JUDGED, Verdict
from tests.faults.view import Fault
from tests.harness.service import CHECKOUT

#: Faults of the table's columns; what is in none of them is told by its own name.
DUPLICATED = (Fault.DUPLICATE_TASK, Fault.DUPLICATE_RESULT)
WRONG = (
    Fault.WRONG_VECTOR,
    Fault.WRONG_TEXT,
    Fault.MISSING_RESULT,
    Fault.ORPHAN,
    Fault.INNOCENT_FAILED,
    Fault.BAD_STORED,
)
BACKWARD = (Fault.BACKWARD, Fault.ILLEGAL, Fault.FORGOTTEN, Fault.CANCEL_IGNORED)


class Outcome(BaseModel):
    """One run."""

    model_config = ConfigDict(frozen=True)

    requirement: str
    title: str
    at: str
    commit: str
    machine: str
    seed: int
    trials: int
    tasks: int
    objects: int
    unknown: int
    recovered: int
    samples: int = 0
    lost: int
    duplicated: int
    wrong: int
    backward: int
    other: dict[str, int]
    least_cosine: float | None
    recovery_s: tuple[float, ...] = ()
    facts: dict[str, float] = {}
    examples: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not (
            self.lost or self.duplicated or self.wrong or self.backward or any(self.other.values())
        )

    def line(self) -> str:
        """One line for a person."""
        recovery = ""
        if self.recovery_s:
            longest = max(self.recovery_s)
            recovery = f", recovery p50 {median(self.recovery_s):.1f} s, max {longest:.1f} s"
        facts = "".join(f", {name} {value:g}" for name, value in self.facts.items())
        told = "".join(f"\n    {example}" for example in self.examples)
        return (
            f"{self.requirement}: {self.trials} trials, {self.tasks} tasks: lost {self.lost}, "
            f"duplicated {self.duplicated}, wrong {self.wrong}, backward {self.backward}"
            f"{''.join(f', {name} {number}' for name, number in self.other.items())}"
            f"{recovery}, {self.samples} commits judged{facts}{told}"
        )


def outcome_of(
    requirement: str,
    title: str,
    *,
    seed: int,
    trials: int,
    verdict: Verdict = NOTHING_JUDGED,
    tasks: int | None = None,
    recovered_s: Sequence[float] = (),
    faults: Mapping[str, int] | None = None,
    facts: Mapping[str, float] | None = None,
) -> Outcome:
    """Sum a verdict up; `faults` are counts beside it that must be zero, `facts` any others.

    What was only measured has no verdict, and says by itself how many `tasks` that took.
    """
    kinds = [finding.kind for finding in verdict.findings]
    named = {Fault.LOST, *DUPLICATED, *WRONG, *BACKWARD}
    rest = Counter(kind.value for kind in kinds if kind not in named)
    return Outcome(
        requirement=requirement,
        title=title,
        at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        commit=commit(),
        machine=platform.processor() or platform.machine(),
        seed=seed,
        trials=trials,
        tasks=verdict.acked if tasks is None else tasks,
        objects=verdict.objects,
        unknown=verdict.unknown,
        recovered=verdict.recovered,
        samples=verdict.samples,
        lost=kinds.count(Fault.LOST),
        duplicated=sum(kind in DUPLICATED for kind in kinds),
        wrong=sum(kind in WRONG for kind in kinds),
        backward=sum(kind in BACKWARD for kind in kinds),
        other={name: count for name, count in {**rest, **(faults or {})}.items() if count},
        least_cosine=verdict.least_cosine,
        recovery_s=tuple(round(each, 2) for each in recovered_s),
        facts=dict(facts or {}),
        examples=tuple(
            f"{each.kind.value}: {each.task} {each.detail}" for each in verdict.findings[:5]
        ),
    )


def commit() -> str:
    """The commit that runs here, with a + where files differ from it.

    But for the ledger and its page, which the runs themselves write.
    """

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=CHECKOUT, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--", ".", ":!docs/reliability.*")
    return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
