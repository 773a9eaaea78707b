"""Batches planned once for all texts: what contenders do that have them all before they begin."""

from collections.abc import Sequence

from embedding.batching import padded_length


def plan_batches(lengths: Sequence[int], *, max_items: int, max_tokens: int) -> list[list[int]]:
    """Group texts of like length so that little is padded, longest first.

    A batch of n texts costs n times its longest length (padding is paid for) and stays within
    `max_tokens`; a text longer than that is alone. Every index of `lengths` is in exactly one
    batch. Raises ValueError for a limit below 1.
    """
    if max_items < 1 or max_tokens < 1:
        raise ValueError("max_items and max_tokens must be at least 1")
    batches: list[list[int]] = []
    longest = 0
    for index in sorted(range(len(lengths)), key=lambda at: -lengths[at]):
        room = min(max_items, max_tokens // max(longest, 1))
        if not batches or len(batches[-1]) >= max(1, room):
            batches.append([])
            longest = padded_length(lengths[index])
        batches[-1].append(index)
    return batches
