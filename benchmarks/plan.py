"""How much is measured: the default form and the quick one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of every measurement."""

    form: str
    rounds: int
    """Rounds a figure; a warm-up before them is dropped."""
    time: float
    """How much of its default time a part has; past it no further round begins."""
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
    compared_rounds: int
    """Rounds where contenders are compared; five at least, or a ratio says little."""
    compared_s: float
    """About how long plain encoding takes in each of those rounds."""
    stored_texts: int
    """Texts of each round through the whole service beside Celery."""
    urgent: int
    """Urgent requests of each round of the lanes."""
    bulk_tasks: int
    """Bulk tasks of `TASK_TEXTS` texts behind which urgent ones come."""
    codec_s: float
    """How long each codec is tried in each round."""
    memory_texts: int
    """Texts after which the role embed must not have grown."""
    gpu_s: float
    """How long each shape runs on a GPU in each round."""
    documents: int
    """Pages of documents of each kind in each round."""


TASK_TEXTS = 640
CONNECTIONS = 64

DEFAULT = Plan(
    form="default",
    rounds=3,
    time=1.0,
    submit_s=2.5,
    pipeline_tasks=32,
    waits=200,
    encode_s=5.0,
    quiet_s=3.0,
    compared_rounds=5,
    compared_s=12.0,
    stored_texts=1536,
    urgent=100,
    bulk_tasks=12,
    codec_s=0.1,
    memory_texts=200_000,
    gpu_s=2.0,
    documents=600,
)
QUICK = Plan(
    form="quick",
    rounds=3,
    time=0.35,
    submit_s=1.0,
    pipeline_tasks=8,
    waits=40,
    encode_s=1.5,
    quiet_s=1.5,
    compared_rounds=5,
    compared_s=1.0,
    stored_texts=256,
    urgent=20,
    bulk_tasks=2,
    codec_s=0.02,
    memory_texts=4_000,
    gpu_s=0.5,
    documents=120,
)
