"""The watchdog: what is wedged ends the process, an outage never does."""

import asyncio
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from streams.watchdog import (
    EX_WEDGED,
    Standstill,
    Watchdog,
    Wedged,
    broken_check,
    call_check,
    standing_check,
)
from tests.unit.embedding.fakes import FakeClock


def saying(answer: str | None) -> Wedged:
    async def check() -> str | None:
        return answer

    return check


@pytest.mark.parametrize("answers, codes", [([None, None], []), ([None, "x"], [EX_WEDGED])])
async def test_only_what_is_wedged_ends_the_process(
    answers: list[str | None], codes: list[int]
) -> None:
    ended: list[int] = []
    await Watchdog([saying(each) for each in answers], loop_limit_s=60, end=ended.append).look()
    assert ended == codes


async def test_a_model_call_may_take_its_time_but_not_for_ever() -> None:
    lasting_s = [119.0, 121.0]
    check = call_check(lambda: lasting_s.pop(0), 120)
    assert await check() is None
    told = await check()
    assert told is not None
    assert "encoder.call_timeout_s 120" in told


async def test_an_error_of_delivery_itself_wedges_the_process() -> None:
    part = SimpleNamespace(broken=None)
    check = broken_check(part)
    assert await check() is None
    part.broken = RuntimeError("a bug")
    assert await check() == "delivery met an error of its own: RuntimeError('a bug')"


def test_what_moves_is_never_taken_for_a_standstill() -> None:
    clock = FakeClock()
    still = Standstill(10, clock)
    for progress in (1, 2, None, 3):
        clock.at_s += 9
        assert still.judge(progress) is None
    clock.at_s += 9
    assert still.judge(3) is None
    clock.at_s += 2
    assert still.judge(3) == 11
    assert still.judge(None) is None
    clock.at_s += 9
    assert still.judge(3) is None


@pytest.mark.parametrize("answers", [True, False])
async def test_a_lost_place_is_wedged_only_while_kafka_answers(answers: bool) -> None:
    clock = FakeClock()

    async def broker_answers() -> bool:
        return answers

    check = standing_check(lambda: "rebalancing", broker_answers, Standstill(10, clock))
    assert await check() is None
    clock.at_s += 11
    assert (await check() is not None) == answers


def test_a_loop_that_stands_still_ends_the_process_and_says_where() -> None:
    program = (
        "import asyncio, io, sys, time\n"
        "sys.stderr = io.StringIO()  # as Faust does\n"
        "from streams.watchdog import Watchdog\n"
        "async def main():\n"
        "    watching = asyncio.create_task(Watchdog([], loop_limit_s=0.3).run())\n"
        "    await asyncio.sleep(0.05)\n"
        "    time.sleep(30)\n"
        "asyncio.run(main())\n"
    )
    began_s = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 1
    assert time.monotonic() - began_s < 30
    assert b"line 7 in main" in done.stderr


async def test_a_loop_that_turns_is_left_alone() -> None:
    program = (
        "import asyncio\n"
        "from streams import watchdog\n"
        "watchdog.LOOK_S = 0.05\n"
        "async def main():\n"
        "    watching = asyncio.create_task(watchdog.Watchdog([], loop_limit_s=1.5).run())\n"
        "    await asyncio.sleep(2.5)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await process.wait() == 0
