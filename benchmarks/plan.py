"""How much is measured: the default form and the quick one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of every measurement."""

    form: str
    rounds: int
    """Rounds a figure; a warm-up before them is dropped."""
    budget_s: float
    """Past its share of this a section begins no further round."""
    submit_s: float
    """How long each round of submits lasts."""
    pipeline_tasks: int
    """Tasks of `TASK_TEXTS` texts in each round through the pipeline."""
    waits: int
    """Requests of each round with `?wait=`, one at a time."""
    encode_s: float
    """About how long plain encoding takes in each round with the real model."""
    quiet_s: float
    """How long a master at rest is watched."""


TASK_TEXTS = 640
CONNECTIONS = 64

DEFAULT = Plan(
    form="default",
    rounds=3,
    budget_s=450,
    submit_s=2.5,
    pipeline_tasks=32,
    waits=200,
    encode_s=5.0,
    quiet_s=3.0,
)
QUICK = Plan(
    form="quick",
    rounds=3,
    budget_s=100,
    submit_s=1.0,
    pipeline_tasks=8,
    waits=40,
    encode_s=1.5,
    quiet_s=1.5,
)
