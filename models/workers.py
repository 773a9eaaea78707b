"""A worker's sign of life on `vectorize.workers`."""

from pydantic import BaseModel, ConfigDict, Field

from models.tasks import RECORD_VERSION


class WorkerBeat(BaseModel):
    """What a worker says of itself every few seconds."""

    model_config = ConfigDict(frozen=True)

    v: int = RECORD_VERSION
    worker: str = Field(description="Host, process and a random mark; new at every start.")
    roles: list[str] = Field(description="The stages it runs: embed, store.")
    models: list[str] = Field(default_factory=list, description="Models it has loaded.")
    device: str = "cpu"
    in_flight: int = Field(default=0, description="Units it holds now.")
    at_ms: int
    leaving: bool = Field(default=False, description="Its last beat: it is shutting down.")
