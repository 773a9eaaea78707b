"""The part `images`: its files, its gate and its ratios, without a model."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from benchmarks.contenders.images import most_alike, rate
from benchmarks.contenders.random_clip import HEIGHT, WIDTH, jpeg_of
from benchmarks.images import CARD_IMAGES, MEASURED, Facts, images_for, section_of

PLACE: Facts = {"card": "", "backend": "torch fp32", "threads": 2.0}


def facts_of(ours: float, theirs: float, **changed: float) -> Facts:
    speeds = {f"ours, {name}": ours for name in MEASURED}
    others = {f"theirs, {name}": theirs for name in MEASURED}
    near = {"cosine of ours": 0.99999, "cosine of theirs": 0.99998, "alike": 0.9, "bytes": 5e4}
    named = {name.replace("_", " "): value for name, value in changed.items()}
    return {**speeds, **others, **near, **named}


def test_images_are_jpegs_of_one_size_each_its_own_and_always_the_same() -> None:
    first, second = jpeg_of(0), jpeg_of(1)
    image = Image.open(io.BytesIO(first))
    assert (image.format, image.size) == ("JPEG", (WIDTH, HEIGHT))
    assert first != second
    assert first == jpeg_of(0)


def test_a_card_has_many_images_a_call_and_a_processor_few() -> None:
    assert images_for("NVIDIA H200", 0.35) == CARD_IMAGES
    assert 1 < images_for("", 0.35) < images_for("", 1.0) < CARD_IMAGES


def test_ours_theirs_and_their_ratio_stand_round_by_round() -> None:
    section = section_of(PLACE, 4, [facts_of(30, 20), facts_of(20, 20)], 5)
    assert (section.faults, section.wanted_rounds) == ([], 5)
    assert len(section.series) == 3 * len(MEASURED)
    ours, theirs, ratio = section.series[:3]
    assert (ours.values, theirs.values, ratio.values) == ([30, 20], [20, 20], [1.5, 1.0])
    assert "CPU, torch fp32; 2 threads for both; 4 images" in section.notes[0]


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"cosine_of_ours": 0.9998}, id="our vectors are others"),
        pytest.param({"cosine_of_ours": math.nan}, id="ours are no vectors"),
        pytest.param({"alike": 0.999}, id="the model does not tell images apart"),
        pytest.param({"alike": math.nan}, id="nobody knows whether it does"),
    ],
)
def test_a_gate_that_is_not_passed_in_one_round_leaves_no_speed(changed: dict[str, float]) -> None:
    section = section_of(PLACE, 4, [facts_of(30, 20), facts_of(30, 20, **changed)], 5)
    assert section.series == []
    assert section.faults[0].startswith("no speed: ")


def test_two_different_images_that_are_most_alike_are_found() -> None:
    vectors = np.array([[2, 0], [0, 3], [1, 1]], dtype=np.float32)
    assert most_alike(vectors) == pytest.approx(math.sqrt(0.5))


def test_a_rate_is_of_one_call_at_least() -> None:
    calls: list[int] = []
    assert rate(lambda: calls.append(1), 4, 0.0) > 0
    assert len(calls) == 1
