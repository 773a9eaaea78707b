"""The table that is published: each part's runs of the ledger added up."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median

from tests.faults.checker import bound_95
from tests.faults.outcome import Outcome

BEGIN = "<!-- figures: begin (python -m tests.faults --publish writes this part) -->"
END = "<!-- figures: end -->"
HEAD = (
    "| part | fault | runs | trials | tasks | lost | duplicated | wrong | backward | other | "
    "recovery p50 / max, s | 95 % bound a trial |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
)


def table(outcomes: Iterable[Outcome]) -> str:
    """Write the table, a line a part in the order of the ledger."""
    parts: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        parts[outcome.requirement].append(outcome)
    lines = [_line(runs) for runs in parts.values()]
    notes = [_note(runs) for runs in parts.values()]
    return "\n".join([HEAD, *lines, "", _whole(parts), "", *notes])


def _whole(parts: Mapping[str, Sequence[Outcome]]) -> str:
    """All that was done to date."""
    runs = [run for each in parts.values() for run in each]
    return (
        f"To date: {sum(run.trials for run in runs):,} trials, "
        f"{sum(run.tasks for run in runs):,} tasks, {sum(run.objects for run in runs):,} vectors "
        f"compared, {sum(run.samples for run in runs):,} committed offsets judged."
    )


def _line(runs: Sequence[Outcome]) -> str:
    trials = sum(run.trials for run in runs)
    found = [
        sum(getattr(run, name) for run in runs)
        for name in ("lost", "duplicated", "wrong", "backward")
    ]
    other = sum(sum(run.other.values()) for run in runs)
    recovery = [each for run in runs for each in run.recovery_s]
    took = f"{median(recovery):.1f} / {max(recovery):.1f}" if recovery else ""
    bound = f"{bound_95(trials):.1%}" if not any(found) and not other else "not zero"
    cells = [
        runs[0].requirement,
        runs[0].title,
        len(runs),
        trials,
        f"{sum(run.tasks for run in runs):,}",
        *found,
        other,
        took,
        bound,
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def _note(runs: Sequence[Outcome]) -> str:
    """What else a part's runs told, and where they came from."""
    cosines = [run.least_cosine for run in runs if run.least_cosine is not None]
    names = dict.fromkeys(name for run in runs for name in run.facts)
    facts = {name: max(run.facts.get(name, 0.0) for run in runs) for name in names}
    samples = sum(run.samples for run in runs)
    commits = ", ".join(sorted({run.commit for run in runs}))
    told = "".join(f", {name} {value:g}" for name, value in facts.items())
    return (
        f"- {runs[0].requirement}: {sum(run.objects for run in runs):,} vectors compared, least "
        f"cosine {min(cosines, default=0):.6f}; {sum(run.unknown for run in runs):,} submits "
        f"without an answer; {samples:,} committed offsets judged{told}; commits {commits}; "
        f"seeds {', '.join(str(run.seed) for run in runs)}"
    )


def publish(page: Path, outcomes: Sequence[Outcome]) -> None:
    """Put the table into its place on the page."""
    text = page.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    page.write_text(f"{head}{BEGIN}\n{table(outcomes)}\n{END}{tail}", encoding="utf-8")
