"""A soak's slope is that of the time after the warming up, without what tables hold in buffers."""

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from tests.faults.requirements.r24_soak import BUFFERS, MB, Look, buffers_in, facts_of


def looks(*resident_mb: float, buffers_mb: tuple[float, ...] = (), files: int = 10) -> list[Look]:
    buffers = [int(mb * MB) for mb in buffers_mb or [0] * len(resident_mb)]
    return [
        Look(900.0 * at, int(mb * MB), buffers[at], files, 5) for at, mb in enumerate(resident_mb)
    ]


def test_growth_while_warming_up_does_not_count() -> None:
    told = facts_of(looks(100, 150, 200, 200, 200, 200, 200))
    assert (told["MB"], told["MB an hour with them"]) == (200, 0)


def test_steady_growth_is_told_by_the_hour() -> None:
    told = facts_of(looks(*(100 + 2 * at for at in range(9))))
    assert told["MB an hour without them"] == told["MB an hour with them"] == 8.0


def test_buffers_that_fill_are_no_growth() -> None:
    filling = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
    told = facts_of(looks(*(100 + mb for mb in filling), buffers_mb=filling))
    assert (told["MB an hour without them"], told["MB an hour with them"]) == (0, 4.0)
    assert told["of these in buffers of tables"] == 3.5


def test_the_buffers_of_all_tables_of_a_process_count() -> None:
    registry = CollectorRegistry()
    gauge = Gauge(BUFFERS, "Bytes.", ["table"], registry=registry)
    gauge.labels("tasks").set(1000)
    gauge.labels("errors").set(24)
    Gauge("vectorize_rows", "Rows.", registry=registry).set(7)
    assert buffers_in(generate_latest(registry).decode()) == 1024


def test_files_that_stay_open_are_counted() -> None:
    told = facts_of([*looks(1, 1, 1, files=10), Look(2800.0, MB, 0, 13, 5)])
    assert (told["files more"], told["threads more"]) == (3, 0)


def test_files_that_come_and_go_are_not() -> None:
    each = [Look(100.0 * at, MB, 0, 10 + at % 3, 5) for at in range(30)]
    assert facts_of(each)["files more"] == 0
