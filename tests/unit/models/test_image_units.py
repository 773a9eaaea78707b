"""Images in units: by number and bytes, never more units than a task may have."""

from itertools import chain

from models.image_units import image_units, reading_of_images
from models.images import Pixels
from models.units import Cut, UnitItem


def images(count: int, side: int = 2) -> list[UnitItem]:
    size = side * side * 3
    return [
        UnitItem(
            index=at, text="", pixels=Pixels(side, side, bytes([at] * size)), shape=(side, side)
        )
        for at in range(count)
    ]


def cut(**changes: int) -> Cut:
    facts = {"max_text_bytes": 9, "unit_items": 4, "unit_bytes": 10_000, "max_units": 8}
    return Cut.model_validate(facts | changes)


def test_a_unit_has_so_many_images_and_bytes_at_most_and_at_least_one() -> None:
    for limits, sizes in (
        (cut(), [4, 4, 2]),
        (cut(unit_bytes=25), [2] * 5),
        (cut(unit_bytes=1, max_units=10), [1] * 10),
        (cut(unit_bytes=1, max_units=3), [4, 4, 2]),
    ):
        units = image_units(images(10), limits)
        assert [len(unit) for unit in units] == sizes
        assert [item.index for item in chain(*units)] == list(range(10))


def test_no_images_are_no_units() -> None:
    assert image_units([], cut()) == []


def test_a_reading_is_told_by_the_images_and_their_places() -> None:
    found = images(3)
    assert reading_of_images(found) == reading_of_images(images(3))
    assert len({reading_of_images(found), reading_of_images(found[1:]), reading_of_images([])}) == 3
