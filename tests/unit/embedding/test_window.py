"""Texts that wait: the oldest always goes, with those of like length."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embedding.encoder import Tokenized
from embedding.jobs import Job, Line
from embedding.window import Window
from models.states import Lane

LINE = Line(cast(Any, SimpleNamespace(name="m")), images=False)


def job(length: int) -> Job:
    return Job(LINE, Tokenized(np.zeros(length, dtype=np.int32), length), Lane.NORMAL)


def filled(*lengths: int) -> tuple[Window, list[Job]]:
    window, jobs = Window(), [job(length) for length in lengths]
    for number, each in enumerate(jobs):
        window.add(number, each)
    return window, jobs


def lengths_of(jobs: list[Job]) -> list[int]:
    return [each.ready.length for each in jobs]


def test_the_oldest_goes_with_those_of_like_length() -> None:
    window, _ = filled(60, 5, 250, 61, 6, 62, 5)
    assert lengths_of(window.take(max_items=64, max_tokens=256)) == [60, 61, 62]
    assert lengths_of(window.take(max_items=64, max_tokens=256)) == [5, 5, 6]
    assert lengths_of(window.take(max_items=64, max_tokens=256)) == [250]
    assert len(window) == 0


def test_of_one_length_the_oldest_go_first() -> None:
    window, jobs = filled(*[8] * 10)
    assert window.take(max_items=4, max_tokens=1000) == jobs[:4]
    assert window.oldest == 4


@given(st.lists(st.integers(1, 300), min_size=1, max_size=80), st.integers(16, 600), st.data())
def test_every_text_is_taken_once_and_each_call_has_the_oldest(
    lengths: list[int], max_tokens: int, data: st.DataObject
) -> None:
    window = Window()
    waiting: dict[int, Job] = {}
    taken: list[Job] = []
    arriving = list(enumerate(map(job, lengths)))
    while arriving or waiting:
        for number, each in arriving[: data.draw(st.integers(0 if waiting else 1, 20))]:
            window.add(number, each)
            waiting[number] = each
        arriving = arriving[len(waiting) + len(taken) - (len(lengths) - len(arriving)) :]
        assert window.oldest == min(waiting)
        call = window.take(max_items=8, max_tokens=max_tokens)
        assert waiting[min(waiting)] in call
        waiting = {number: each for number, each in waiting.items() if each not in call}
        taken += call
        assert len(window) == len(waiting)
    assert len(taken) == len(lengths)


def test_a_text_of_an_odd_length_is_not_passed_over_by_newcomers() -> None:
    window, [odd, *_] = filled(300, *[10] * 50)
    call = window.take(max_items=64, max_tokens=256)
    assert call == [odd]
