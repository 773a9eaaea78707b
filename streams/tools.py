"""What every stage works with, whatever it does."""

from dataclasses import dataclass

from models.clock import Clock
from streams.dead_letters import DeadLetters
from streams.producing import Producer
from streams.topics import TopicNames


@dataclass(frozen=True, slots=True)
class StageTools:
    """The ways out of a stage, the names of topics, and the time."""

    producer: Producer
    dead_letters: DeadLetters
    names: TopicNames
    clock: Clock
