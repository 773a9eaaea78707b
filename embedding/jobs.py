"""What waits for a model: distinct texts and images, who wants them, and the calls they go in.

Where it says text it means image too: they are queued, joined, run and settled alike, but never in
one call.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from embedding.encoder import Encoder, ModelInput, Outcome
from models.encoding import EncodeOptions
from models.states import Lane


class Model(Protocol):
    """A model that is loaded, once on each device."""

    @property
    def name(self) -> str:
        """What the catalog calls it."""

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""

    @property
    def batch_texts(self) -> int | None:
        """Most texts in one call; None: as many as the service allows."""

    @property
    def batch_tokens(self) -> int | None:
        """Most tokens in one call, padding included; None likewise."""

    @property
    def encoders(self) -> Sequence[Encoder]:
        """The model on each device."""


class Line(NamedTuple):
    """What may share a call: inputs of one kind for one model."""

    model: Model
    images: bool


#: What makes two inputs one; see `Job.key`.
Key = tuple[int, bool, bytes]


class Request:
    """The texts of one caller on their way through one or more calls."""

    def __init__(
        self,
        options: EncodeOptions,
        texts: int,
        on_done: Callable[["Request"], None],
    ) -> None:
        """Wait for `texts` outcomes; `on_done` is told when each is there."""
        self.options = options
        self.abandoned = False  # its caller has left
        self._outcomes: list[Outcome | None] = [None] * texts
        self._open = texts
        self._on_done = on_done

    def settle(self, index: int, outcome: Outcome) -> None:
        """Note one text's outcome; the last one completes the request."""
        if self._outcomes[index] is not None:
            raise ValueError(f"text {index} has two outcomes. This is a bug.")
        self._outcomes[index] = outcome
        self._open -= 1
        if not self._open:
            self._on_done(self)

    def outcomes(self) -> list[Outcome]:
        """All outcomes in the order of the texts, once each is there."""
        return [outcome for outcome in self._outcomes if outcome is not None]


@dataclass(frozen=True, slots=True)
class Taker:
    """Who wants a text's vector: a request, and which of its texts this is."""

    request: Request
    index: int
    tokens: int
    """Of this text before truncation: one that was cut may read like one that was not."""


@dataclass(slots=True, eq=False)
class Job:
    """One distinct text of one model, computed once for all who want it."""

    line: Line
    ready: ModelInput
    lane: Lane
    takers: list[Taker] = field(default_factory=list)

    @property
    def key(self) -> Key:
        """What makes two texts one: the same model reads the same tokens, or pixels."""
        return id(self.line.model), self.line.images, self.ready.key

    @property
    def wanted(self) -> bool:
        """Whether anybody still waits for it."""
        return any(not taker.request.abandoned for taker in self.takers)


@dataclass(frozen=True, slots=True)
class Call:
    """One model call: inputs of one line, at least one."""

    lane: Lane
    jobs: list[Job]

    @property
    def line(self) -> Line:
        """The model to call, and with what."""
        return self.jobs[0].line

    @property
    def model(self) -> Model:
        """The model to call."""
        return self.line.model

    @property
    def noun(self) -> str:
        """What a person calls one of its inputs."""
        return "image" if self.line.images else "text"

    @property
    def lengths(self) -> list[int]:
        """Tokens of each text that the model will see."""
        return [job.ready.length for job in self.jobs]

    def halves(self) -> tuple["Call", "Call"]:
        """Cut a call of two texts or more in two, the first half first."""
        middle = len(self.jobs) // 2
        return Call(self.lane, self.jobs[:middle]), Call(self.lane, self.jobs[middle:])

    def still_wanted(self) -> "Call":
        """The same without texts that nobody waits for any more."""
        return Call(self.lane, [job for job in self.jobs if job.wanted])
