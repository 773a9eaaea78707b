"""What a measurement is: rounds, their median, and which process was busy meanwhile. Pure."""

from collections.abc import Mapping, Sequence
from statistics import median

from pydantic import BaseModel, ConfigDict, Field, computed_field

#: A process with one event loop that is busy for this share of the time has nothing to spare.
FULL_LOOP = 0.85
#: Share of all cores busy above which the machine itself is what binds.
FULL_MACHINE = 0.92
#: Load that other programs put on the machine, in cores, above which a figure is doubtful.
FOREIGN_LOAD = 0.3
OTHERS = "other programs"
#: A smaller share of a core is not worth a word.
WORTH_TELLING = 0.01


class Round(BaseModel):
    """One measurement of one contender."""

    model_config = ConfigDict(frozen=True)

    value: float
    seconds: float = Field(default=0.0, description="How long it was measured.")
    work: float = Field(default=0.0, description="How many units of work were done in that time.")
    cores: dict[str, float] = Field(
        default_factory=dict, description="Mean cores busy, by process; other programs beside."
    )

    def core_ms(self, name: str) -> float:
        """What one unit of work cost the process `name`, in core-milliseconds."""
        return self.cores.get(name, 0.0) * self.seconds * 1000 / self.work if self.work else 0.0


class Series(BaseModel):
    """All rounds of one contender, and what is expected of it."""

    model_config = ConfigDict(frozen=True)

    name: str
    unit: str
    rounds: list[Round]
    least: float | None = Field(default=None, description="The median must reach this.")
    most: float | None = Field(default=None, description="The median must not exceed this.")
    loop: str | None = Field(default=None, description="The process whose event loop does it.")
    note: str = ""

    @computed_field  # type: ignore[prop-decorator]  # mypy: decorators on properties
    @property
    def median(self) -> float:
        """The figure itself."""
        return median(self.values)

    @property
    def values(self) -> list[float]:
        """The rounds' values, in their order."""
        return [each.value for each in self.rounds]

    @property
    def met(self) -> bool | None:
        """Whether the expectation is met; None where there is none."""
        if self.least is not None:
            return self.median >= self.least
        return self.median <= self.most if self.most is not None else None

    @property
    def cores(self) -> dict[str, float]:
        """Median cores busy, by process."""
        names = {name for each in self.rounds for name in each.cores}
        return {
            name: median(each.cores.get(name, 0.0) for each in self.rounds)
            for name in sorted(names)
        }

    def core_ms(self, name: str) -> float:
        """Median cost of one unit of work in the process `name`, in core-milliseconds."""
        return median(each.core_ms(name) for each in self.rounds)


class Section(BaseModel):
    """What was measured together."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    series: list[Series] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    faults: list[str] = Field(default_factory=list, description="What went wrong meanwhile.")
    took_s: float = 0.0
    skipped: str | None = Field(default=None, description="Why it was not measured.")
    lacking: bool = Field(
        default=False, description="Skipped because the machine lacks what it would measure."
    )
    wanted_rounds: int | None = Field(default=None, description="Where not the plan's.")
    card: str = Field(default="", description="The GPU it was measured on, if on one.")


def binding(series: Series, cores: int) -> str:
    """Name what held the work back, judged by who was busy; empty where that was not watched."""
    busy = dict(series.cores)
    if not busy:
        return ""
    foreign = busy.pop(OTHERS, 0.0)
    busiest = max(busy, key=lambda name: busy[name])
    if series.loop in busy and busy[series.loop] >= FULL_LOOP:
        busiest = series.loop
        found = f"{busiest}: one loop, {busy[busiest]:.2f} of a core"
    elif sum(busy.values()) + foreign >= FULL_MACHINE * cores:
        found = f"all {cores} cores, {busiest} first ({busy[busiest]:.2f})"
    else:
        found = f"waiting: the busiest is {busiest} ({busy[busiest]:.2f} of a core)"
    return found + (f"; other programs took {foreign:.1f} cores" if foreign > FOREIGN_LOAD else "")


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of `values`; `share` is 0–1."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def ratios(above: Series, below: Series) -> list[Round]:
    """The quotient of two contenders, round by round: what was measured side by side."""
    return [
        Round(value=up.value / down.value)
        for up, down in zip(above.rounds, below.rounds, strict=True)
    ]


def scaled(above: Series, factors: Sequence[float]) -> list[Round]:
    """Each round's value times its own factor."""
    return [
        Round(value=each.value * factor) for each, factor in zip(above.rounds, factors, strict=True)
    ]


def busy_line(cores: Mapping[str, float]) -> str:
    """Who was busy, the busiest first: `master 0.97, kafka 0.41`."""
    found = sorted(cores.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{name} {share:.2f}" for name, share in found if share >= WORTH_TELLING)
