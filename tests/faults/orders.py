"""What is to go wrong within a process: written by the rig, read by its composition root."""

from pydantic import BaseModel, ConfigDict

#: The environment variable that carries it, as JSON.
VARIABLE = "FAULTS"


class Armed(BaseModel):
    """A point at which the process kills itself, the `nth` time it comes by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    point: str
    after: bool
    nth: int = 1
    role: str | None = None
    """Only in a process of this role; None: in any."""
    once: str
    """A file: whoever ends here makes it, and where it stands nobody ends any more."""


class Faults(BaseModel):
    """What goes wrong in a process."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bug: str | None = None
    """A seeded bug: the process is broken on purpose."""
    seed: int = 0
    sends_fail: float = 0.0
    """Share of records whose sending fails, and of those whose acknowledgement is lost."""
    writes_fail: float = 0.0
    """Share of writes to Weaviate that fail, and of those whose answer is lost."""
    objects_fail: float = 0.0
    """Share of objects that Weaviate tells it cannot store now, half of which it stored."""
    switch: str | None = None
    """A file: sends and objects fail of some tasks only, and while it is there (see `failing`)."""
    slow_s: float = 0.0
    """Encoding and writing to Weaviate take up to so much longer: windows of a moment open wide."""
    units_skipped: float = 0.0
    """Share of units that are acknowledged though nothing was done: what holes of Faust do (A5)."""
    retention_s: float | None = None
    """Finished tasks are purged after so long, in place of an hour or more."""
    skew_s: float = 0.0
    """Each process's clock is wrong by so much, this way or that."""
    poison: bool = False
    """Whether the model falls for poison."""
    armed: tuple[Armed, ...] = ()
    """Fault points at which this process ends."""
    raising: str | None = None
    """A folder: who finds an order there for a point that it comes by, raises (see `raising`)."""
