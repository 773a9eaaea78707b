"""A soak's slope is that of the time after the warming up."""

from tests.faults.requirements.r24_soak import MB, Look, facts_of


def looks(*resident_mb: float, files: int = 10) -> list[Look]:
    return [Look(900.0 * at, int(mb * MB), files, 5) for at, mb in enumerate(resident_mb)]


def test_growth_while_warming_up_does_not_count() -> None:
    told = facts_of(looks(100, 150, 200, 200, 200, 200, 200))
    assert (told["MB"], told["MB an hour"]) == (200, 0)


def test_steady_growth_is_told_by_the_hour() -> None:
    told = facts_of(looks(*(100 + 2 * at for at in range(9))))
    assert told["MB an hour"] == 8.0


def test_files_that_stay_open_are_counted() -> None:
    told = facts_of([*looks(1, 1, 1, files=10), Look(2800.0, MB, 13, 5)])
    assert (told["files more"], told["threads more"]) == (3, 0)


def test_files_that_come_and_go_are_not() -> None:
    each = [Look(100.0 * at, MB, 10 + at % 3, 5) for at in range(30)]
    assert facts_of(each)["files more"] == 0
