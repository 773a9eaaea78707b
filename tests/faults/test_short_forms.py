"""The short form of each part of the rig: the real system, broken for a minute, loses nothing."""

from pathlib import Path

import pytest

from tests.faults.parts import PARTS, Part, Size

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]


@pytest.mark.parametrize("part", [pytest.param(part, id=part.name) for part in PARTS if part.short])
async def test_nothing_is_lost_doubled_wrong_or_taken_back(part: Part, tmp_path: Path) -> None:
    outcome = await part.run(tmp_path, Size.SHORT, seed=1, say=print)
    assert outcome.clean, outcome.line()
    assert outcome.tasks >= outcome.trials
