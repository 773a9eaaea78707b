"""What is made of measurements: medians, what binds, ratios by round."""

import pytest

from benchmarks.figures import OTHERS, Round, Series, binding, busy_line, percentile, ratios


def series(*values: float, **facts: object) -> Series:
    return Series(name="s", unit="u", rounds=[Round(value=value) for value in values], **facts)


def busy(**cores: float) -> Series:
    shares = {name.replace("others", OTHERS): share for name, share in cores.items()}
    rounds = [Round(value=1, seconds=2, work=100, cores=shares)]
    return Series(name="s", unit="u", rounds=rounds, loop="all")


def test_a_figure_is_the_median_and_keeps_its_rounds() -> None:
    figure = series(3, 100, 2)
    assert (figure.median, figure.values) == (3, [3, 100, 2])


@pytest.mark.parametrize(
    "facts, met",
    [
        ({}, None),
        ({"least": 3}, True),
        ({"least": 3.1}, False),
        ({"most": 3}, True),
        ({"most": 2}, False),
    ],
)
def test_an_expectation_is_judged_by_the_median(facts: dict[str, float], met: bool | None) -> None:
    assert series(1, 3, 9, **facts).met is met


@pytest.mark.parametrize(
    "figure, said",
    [
        (series(1), ""),
        (busy(all=0.97, kafka=0.4), "all: one loop, 0.97 of a core"),
        (busy(all=0.8, kafka=0.7, client=0.4), "all 2 cores, all first (0.80)"),
        (busy(all=0.3, kafka=0.2), "waiting: the busiest is all (0.30 of a core)"),
        (
            busy(all=0.4, others=1.5),
            "all 2 cores, all first (0.40); other programs took 1.5 cores",
        ),
    ],
)
def test_what_binds_is_told_by_who_was_busy(figure: Series, said: str) -> None:
    assert binding(figure, cores=2) == said


def test_a_unit_of_work_costs_what_the_process_used_for_it() -> None:
    assert busy(all=0.5).core_ms("all") == pytest.approx(10.0)
    assert busy(all=0.5).core_ms("nobody") == 0


def test_a_ratio_is_taken_round_by_round() -> None:
    assert [each.value for each in ratios(series(2, 9), series(1, 3))] == [2, 3]


def test_ratios_need_the_same_rounds() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratios(series(1, 2), series(1))


@pytest.mark.parametrize("share, found", [(0.5, 51), (0.99, 100), (1.0, 100), (0.0, 1)])
def test_percentiles_are_values_that_occurred(share: float, found: float) -> None:
    assert percentile(list(range(100, 0, -1)), share) == found


def test_idle_processes_are_not_told() -> None:
    assert busy_line({"kafka": 0.2, "redis": 0.001, "all": 0.9}) == "all 0.90, kafka 0.20"
