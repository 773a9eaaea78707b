"""Which lane is served next: the most urgent that waits, but none waits for ever. Pure."""

from collections.abc import Collection

from models.states import Lane

#: So many turns may go to other lanes before a lane that waits has one, whatever its rank.
AGE_AFTER_TURNS = 8


class LaneOrder:
    """The choice among lanes, turn by turn."""

    def __init__(self, age_after_turns: int = AGE_AFTER_TURNS) -> None:
        """Begin with no lane passed over."""
        self._age_after_turns = age_after_turns
        self._passed_over = dict.fromkeys(Lane, 0)

    def choose(self, waiting: Collection[Lane]) -> Lane | None:
        """The lane passed over for too long (the longest first), else the most urgent."""
        lanes = [lane for lane in Lane if lane in waiting]
        aged = [lane for lane in lanes if self._passed_over[lane] >= self._age_after_turns]
        if aged:
            return max(aged, key=self._passed_over.__getitem__)
        return lanes[0] if lanes else None

    def note(self, served: Lane, waiting: Collection[Lane]) -> None:
        """Count a turn against every other lane that waits."""
        for lane in Lane:
            passed = lane in waiting and lane is not served
            self._passed_over[lane] = self._passed_over[lane] + 1 if passed else 0
