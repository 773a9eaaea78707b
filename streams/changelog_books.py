"""How much of a changelog a process knows: what it recovered, and what it wrote itself. Pure.

Whoever owns a partition is the only one to write to its changelog, but for one who was stopped,
lost the partition, and was woken with records still in its producer. So an offset that is missing
between our own is a stranger's, or one of ours whose acknowledgement was lost: until it was looked
at, nothing behind it may count as known, or the next recovery would leave it out.
"""


class ChangelogBooks:
    """What is known of one partition of a changelog."""

    __slots__ = ("_beyond", "next")

    def __init__(self, start: int) -> None:
        """All below `start` is known: it was recovered."""
        self.next = start
        self._beyond: set[int] = set()

    def note(self, offset: int) -> None:
        """Note that a record of ours lies at `offset`."""
        if offset >= self.next:
            self._beyond.add(offset)
            self._advance()

    def pass_to(self, offset: int) -> None:
        """Note that all below `offset` was looked at."""
        self.next = max(self.next, offset)
        self._beyond = {one for one in self._beyond if one >= self.next}
        self._advance()

    def hole(self, end: int) -> range:
        """The first stretch below `end` that is not known; empty where there is none."""
        return range(self.next, min(self._beyond, default=end))

    def _advance(self) -> None:
        while self.next in self._beyond:
            self._beyond.discard(self.next)
            self.next += 1
