"""What a fault proxy may be told to do to the bytes that pass it."""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto


class Side(Enum):
    """Who sits at one end of a connection."""

    CLIENT = auto()
    SERVER = auto()


@dataclass(frozen=True, slots=True)
class Mischief:
    """The faults of a proxy, for all its connections; the default is plain forwarding.

    They may be mixed. Sizes and rates count for one connection and one direction.

    Raises:
        ValueError: A time or a count is negative, or a rate or a slice is not above zero.
    """

    #: Each chunk arrives so much later, in either direction; a delay, not a limit of the rate.
    latency_s: float = 0.0
    #: Up to so much more, by the proxy's dice.
    jitter_s: float = 0.0
    #: The bandwidth of either direction.
    bytes_per_s: float | None = None
    #: No write is longer. The kernel may join what its reader is slow to read.
    slice_bytes: int | None = None
    #: Connections are reset (RST), those to come right after they were accepted.
    reset: bool = False
    #: Connections are accepted and read, nothing is forwarded, not even an end.
    blackhole: bool = False
    #: The server hears the client, the client hears nothing: what the server says, its end
    #: included, waits until this is over, and then arrives, as after a partition.
    half_open: bool = False
    #: Nobody listens on the port; connections that exist go on.
    refuse: bool = False
    #: A connection is reset once the client got so many bytes, counted from when it was said.
    #: 0 cuts in place of the first byte.
    cut_after_bytes: int | None = None

    def __post_init__(self) -> None:
        if min(self.latency_s, self.jitter_s, self.cut_after_bytes or 0) < 0:
            raise ValueError(f"a time or count below zero: {self}")
        for more_than_none in (self.bytes_per_s, self.slice_bytes):
            if more_than_none is not None and more_than_none <= 0:
                raise ValueError(f"a rate or slice not above zero: {self}")

    def silences(self, side: Side) -> bool:
        """Whether this side must hear nothing, neither bytes nor an end nor a reset."""
        return self.blackhole or (self.half_open and side is Side.CLIENT)


#: Plain forwarding.
NO_MISCHIEF = Mischief()


class Orders:
    """What the connections of a proxy share: what they are told, and the count of their bytes."""

    def __init__(self, target: tuple[str, int], dice: random.Random) -> None:
        self.target = target
        self.dice = dice
        self.mischief = NO_MISCHIEF
        self.passed_bytes = 0
        self._news = asyncio.Event()

    def tell(self, mischief: Mischief) -> None:
        """Replace what was told, and wake all who wait for news."""
        self.mischief = mischief
        self._news.set()
        self._news = asyncio.Event()

    async def news(self, within_s: float | None = None) -> bool:
        """Wait until something else is told, or so long; whether something was."""
        news = self._news
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await news.wait()
        return news.is_set()  # also when it came in the moment in which the time ran out

    async def until_heard_by(self, side: Side) -> None:
        """Wait while this side is silenced."""
        while self.mischief.silences(side):
            await self.news()
