"""Images as units: how many go together, and by what a reading of them is told. Pure."""

import hashlib
from collections.abc import Sequence

from models.units import Cut, UnitItem


def image_units(items: Sequence[UnitItem], cut: Cut) -> list[list[UnitItem]]:
    """Cut images into units, by number and by the bytes of their pixels.

    Both give way where a task would otherwise need more than `max_units` units.
    """
    largest = max((_size(item) for item in items), default=1)
    fit = max(1, min(cut.unit_items, cut.unit_bytes // largest))
    most = max(fit, -(-len(items) // cut.max_units))
    return [list(items[at : at + most]) for at in range(0, len(items), most)]


def _size(item: UnitItem) -> int:
    return 1 if item.pixels is None else len(item.pixels.data)


def reading_of_images(items: Sequence[UnitItem]) -> str:
    """The same for the same images: units of another reading do not count."""
    told = hashlib.sha256()
    for item in items:
        told.update(f"{item.index} ".encode())
        told.update(b"" if item.pixels is None else item.pixels.digest)
    return told.hexdigest()[:32]
