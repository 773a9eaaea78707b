"""The planner of model batches: lengths in, indices out. Pure."""

from collections.abc import Sequence


def plan_batches(lengths: Sequence[int], *, max_items: int, max_tokens: int) -> list[list[int]]:
    """Group texts of like length so that little is padded, longest first.

    A batch of n texts costs n times its longest length (padding is paid for) and stays within
    `max_tokens`; a text longer than that is alone. Every index of `lengths` is in exactly one
    batch. Raises ValueError for a limit below 1.
    """
    if max_items < 1 or max_tokens < 1:
        raise ValueError("max_items and max_tokens must be at least 1")
    batches: list[list[int]] = []
    room = 0
    for index in sorted(range(len(lengths)), key=lambda at: -lengths[at]):
        if room == 0:
            batches.append([])
            room = _room_for(lengths[index], max_items, max_tokens)
        batches[-1].append(index)
        room -= 1
    return batches


def _room_for(longest: int, max_items: int, max_tokens: int) -> int:
    """How many texts fit a batch whose longest has `longest` tokens; at least one."""
    return max(1, min(max_items, max_tokens // max(longest, 1)))
