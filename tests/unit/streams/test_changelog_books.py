"""What is known of a changelog: own records without a hole, from what was recovered."""

import random

from streams.changelog_books import ChangelogBooks


def test_own_records_in_any_order_are_known_up_to_the_first_hole() -> None:
    books = ChangelogBooks(5)
    for offset in (6, 8, 5):
        books.note(offset)
    assert books.next == 7
    assert books.hole(20) == range(7, 8)


def test_what_lies_at_the_end_and_is_not_ours_is_a_hole() -> None:
    books = ChangelogBooks(0)
    books.note(0)
    assert books.hole(1) == range(1, 1)
    assert books.hole(3) == range(1, 3)


def test_a_hole_that_was_looked_at_is_passed() -> None:
    books = ChangelogBooks(0)
    for offset in (0, 3, 4):
        books.note(offset)
    books.pass_to(3)
    assert books.next == 5
    books.pass_to(2)
    assert books.next == 5


def test_what_is_noted_twice_or_was_recovered_changes_nothing() -> None:
    books = ChangelogBooks(4)
    for offset in (1, 4, 4, 3):
        books.note(offset)
    assert (books.next, books.hole(5)) == (5, range(5, 5))


def test_all_of_a_run_is_known_whatever_the_order() -> None:
    dice = random.Random(1)
    for _ in range(50):
        books, offsets = ChangelogBooks(10), list(range(10, 40))
        dice.shuffle(offsets)
        for offset in offsets:
            books.note(offset)
        assert books.next == 40
