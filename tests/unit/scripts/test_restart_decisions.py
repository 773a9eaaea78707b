"""When a worker is started again, and when not."""

import pytest

from scripts.supervisor.deciding import (
    Decision,
    Ending,
    RestartPolicy,
    decide_restart,
    how_it_ended,
    shell_code,
)

POLICY = RestartPolicy(first_delay_s=1, factor=2, longest_delay_s=30, jitter=0.25, healthy_s=60)


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param(Ending(0, 5), id="it finished"),
        pytest.param(Ending(2, 1), id="its configuration is wrong"),
        pytest.param(Ending(78, 1), id="its configuration is wrong, by sysexits"),
        pytest.param(Ending(1, 5, stop_asked=True), id="it failed while it was stopped"),
        pytest.param(Ending(-9, 5, stop_asked=True), id="it was killed while it was stopped"),
        pytest.param(Ending(0, 5, stop_asked=True), id="it drained"),
    ],
)
def test_a_worker_is_not_started_again_when(ending: Ending) -> None:
    assert decide_restart(ending, POLICY, 0).restart is False


@pytest.mark.parametrize(
    "ending, delay_s, failures",
    [
        pytest.param(Ending(1, 5), 1, 1, id="its first failure"),
        pytest.param(Ending(1, 5, failures=1), 2, 2, id="its second in a row"),
        pytest.param(Ending(1, 5, failures=4), 16, 5, id="its fifth in a row"),
        pytest.param(Ending(1, 5, failures=5), 30, 6, id="the delay has a limit"),
        pytest.param(Ending(1, 5, failures=100_000), 30, 100_001, id="it is never given up"),
        pytest.param(Ending(1, 60, failures=100), 1, 1, id="a minute of health forgives"),
        pytest.param(Ending(1, 59.9, failures=1), 2, 2, id="less than a minute does not"),
        pytest.param(Ending(-9, 5), 1, 1, id="it was killed by somebody else"),
        pytest.param(Ending(-15, 5), 1, 1, id="it was ended before it could listen"),
    ],
)
def test_a_failed_worker_is_started_again_after(
    ending: Ending, delay_s: float, failures: int
) -> None:
    found = decide_restart(ending, POLICY, 0)
    assert (found.restart, found.delay_s, found.failures) == (True, delay_s, failures)


@pytest.mark.parametrize("chance, delay_s", [(0.0, 4.0), (0.5, 4.5), (1.0, 5.0)])
def test_chance_adds_up_to_the_share_of_the_jitter(chance: float, delay_s: float) -> None:
    assert decide_restart(Ending(1, 5, failures=2), POLICY, chance).delay_s == delay_s


def test_the_reason_says_how_it_ended() -> None:
    assert decide_restart(Ending(-9, 5.04), POLICY, 0) == Decision(
        restart=True, reason="killed by SIGKILL after 5.0 s", delay_s=1, failures=1
    )


def test_exit_codes_read_as_words_and_as_a_shell_would_give_them() -> None:
    assert [how_it_ended(code) for code in (70, -15, -200)] == [
        "exit code 70",
        "killed by SIGTERM",
        "killed by signal 200",
    ]
    assert [shell_code(code) for code in (0, 2, -15, -9)] == [0, 2, 143, 137]
