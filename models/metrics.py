"""The figures a master shows: the guide's `TaskMetrics` and what an owner knows of its share."""

from pydantic import BaseModel, ConfigDict, Field

from models.states import TaskState


class TaskMetrics(BaseModel):
    """The body of `GET /metrics`, the guide's fields and no others."""

    model_config = ConfigDict(frozen=True)

    total_tasks: int = Field(description="Tasks known, whatever their state.")
    pending_tasks: int
    processing_tasks: int
    completed_tasks: int
    failed_tasks: int = Field(description="Tasks that failed or expired.")
    average_processing_time: float = Field(
        description="Mean seconds from submit to the final state of completed tasks."
    )
    total_vectors_generated: int = Field(description="Vectors stored by the tasks known.")


class Tally(BaseModel):
    """What the rows of one owner add up to; tallies of several owners add up by `merged`."""

    model_config = ConfigDict(frozen=True)

    states: dict[TaskState, int] = Field(default_factory=dict)
    completed_ms: int = Field(default=0, description="Sum of submit-to-final over completed tasks.")
    vectors: int = 0

    def merged(self, other: "Tally") -> "Tally":
        """Add two owners' figures."""
        states = {
            state: self.states.get(state, 0) + other.states.get(state, 0) for state in TaskState
        }
        return Tally(
            states=states,
            completed_ms=self.completed_ms + other.completed_ms,
            vectors=self.vectors + other.vectors,
        )

    def metrics(self) -> TaskMetrics:
        """Say the same in the guide's fields."""
        count = {state: self.states.get(state, 0) for state in TaskState}
        completed = count[TaskState.COMPLETED]
        return TaskMetrics(
            total_tasks=sum(count.values()),
            pending_tasks=count[TaskState.PENDING],
            processing_tasks=count[TaskState.PROCESSING],
            completed_tasks=completed,
            failed_tasks=count[TaskState.FAILED] + count[TaskState.EXPIRED],
            average_processing_time=round(self.completed_ms / completed / 1000, 3)
            if completed
            else 0.0,
            total_vectors_generated=self.vectors,
        )
