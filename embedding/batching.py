"""Which texts share a call of the model, and how large calls may be. Pure."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

#: How much one call changes what is taken for the model's speed.
NEW_SHARE = 0.1
#: What a call costs beside its tokens, in tokens (measured, MiniLM on 2 cores in bf16).
CALL_TOKENS = 30
#: How much longer than the text that must go its companions may be: where few wait, it is better
#: alone than padded to whatever there is.
MOST_LONGER = 1.25
#: So many places are tried for each end of a run.
TRIES = 16
TILE = 16


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How waiting texts become model calls."""

    batch_ms: float = 20.0
    """About how long one call may take: an urgent text waits for one call at most."""
    batch_texts: int = 256
    """Most texts in one call."""
    least_tokens: int = 256
    """Tokens of a call, padding included, however slow the model is; a longer text is alone."""
    most_tokens: int = 16_384
    """Tokens of a call, padding included, however fast the model is."""
    first_tokens: int = 256
    """Tokens of a call before the model's speed is known."""
    age_after_batches: int = 8
    """A lane that waited while so many calls went to others is next, whatever its rank."""
    lane_requests: int = 64
    """Most requests a lane holds, waiting or in the running call; further callers block."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a model runs here, from the calls it has made."""

    tokens_per_s: float | None = None

    def budget_tokens(self, options: BatchOptions) -> int:
        """How many tokens a call may hold so that it takes about `batch_ms`."""
        if self.tokens_per_s is None:
            return min(options.most_tokens, options.first_tokens)
        wanted = int(self.tokens_per_s * options.batch_ms / 1000)
        return min(options.most_tokens, max(options.least_tokens, wanted))

    def after(self, tokens: int, seconds: float, options: BatchOptions) -> "Speed":
        """Take a call of so many tokens into account.

        Small calls say little about large ones, for their cost is mostly that of any call.
        """
        if seconds <= 0 or tokens * 2 < self.budget_tokens(options):
            return self
        now = tokens / seconds
        before = now if self.tokens_per_s is None else self.tokens_per_s
        return Speed(before + NEW_SHARE * (now - before))


class Speeds:
    """The speed of each model, by its name; or of whatever else has a speed of its own."""

    def __init__(self, options: BatchOptions) -> None:
        """Know nothing yet."""
        self._options = options
        self._by_model: dict[Hashable, Speed] = {}

    def budget_tokens(self, model: Hashable) -> int:
        """How many tokens a call of `model` may hold."""
        return self._by_model.get(model, Speed()).budget_tokens(self._options)

    def note(self, model: Hashable, tokens: int, seconds: float) -> None:
        """Take a call of `model` into account."""
        speed = self._by_model.get(model, Speed())
        self._by_model[model] = speed.after(tokens, seconds, self._options)


def padded_tokens(lengths: Sequence[int]) -> int:
    """What a batch of texts of these lengths costs: each is padded to the same length."""
    return len(lengths) * padded_length(max(lengths, default=0))


def padded_length(longest: int) -> int:
    """To how many tokens a batch is padded whose longest text has so many.

    Matrix units work on tiles of 16 rows: 64 tokens took less time than 57 to 63, 48 less than 46
    (MiniLM in bf16, AMX). So the length goes up to a multiple of 16 where that is near.
    """
    rounded = -(-longest // TILE) * TILE
    return rounded if (rounded - longest) * TILE <= longest else longest


def best_run(
    lengths: Sequence[int], at: int, *, max_items: int, max_tokens: int
) -> tuple[int, int]:
    """Choose which neighbours of text `at` share its call: `lengths[first:last]`.

    `lengths` ascends. All are padded to the longest, together to `max_tokens` at most; a text
    longer than that is alone. Of the runs that hold `at` it is the one with the most real tokens
    for what it costs. Raises ValueError for a limit below 1.
    """
    if max_items < 1 or max_tokens < 1:
        raise ValueError("max_items and max_tokens must be at least 1")
    best, best_worth = (at, at + 1), 0.0
    reach = min(len(lengths) - at, max_items, max_tokens // max(lengths[at], 1))
    for longest_at in range(at, len(lengths), max(1, reach // TRIES)):
        longest = padded_length(lengths[longest_at])
        if longest > MOST_LONGER * lengths[at] + TILE:
            break
        room = max(1, min(max_items, max_tokens // max(longest, 1)))
        first = max(0, longest_at + 1 - room)
        if first > at:
            break
        for start in range(first, at + 1, max(1, (at + 1 - first) // TRIES)):
            worth = _worth(lengths[start : longest_at + 1], longest)
            if worth > best_worth:
                best, best_worth = (start, longest_at + 1), worth
    return best


def _worth(lengths: Sequence[int], longest: int) -> float:
    """Real tokens of a call for each token that it costs."""
    return sum(lengths) / (len(lengths) * longest + CALL_TOKENS)
