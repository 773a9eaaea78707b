"""Which waiting texts go into the next call, and who gets what comes out."""

import threading
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest

from embedding.batching import BatchOptions
from embedding.encoder import ReadyImage, Tokenized
from embedding.jobs import Call, Model, Request
from embedding.lane_queues import LaneQueues
from models.encoding import EncodeOptions
from models.images import Pixels
from models.states import Lane


@dataclass(eq=False)
class FakeModel:
    name: str = "m"
    dimension: int = 4
    batch_texts: int | None = None
    batch_tokens: int | None = None
    encoders: list[Any] = field(default_factory=lambda: [None])


def text(mark: int, length: int = 8) -> Tokenized:
    """A text of its own: its first id is `mark`."""
    ids = np.zeros(length, dtype=np.int32)
    ids[0] = mark
    return Tokenized(ids, length)


class Site:
    """Queues, and requests by name."""

    def __init__(self, budget: int = 64, **options: Any) -> None:
        self.queues = LaneQueues(BatchOptions(**options), lambda model: budget)
        self.model = FakeModel()

    def ask(self, lane: Lane, *texts: Tokenized, model: FakeModel | None = None) -> Request:
        request = Request(EncodeOptions(), len(texts), lambda done: None)
        self.queues.add(lane, cast(Model, model or self.model), texts, request)
        return request

    def next(self, encoder: int = 0) -> Call:
        """The next call; there must be one, for nobody else would bring it."""
        assert self.queues._in_waiting(encoder)
        call = self.queues.wait_next_call(encoder)
        assert call is not None
        return call


def marks(call: Call) -> list[int]:
    return [int(job.ready.ids[0]) for job in call.jobs]


def test_the_urgent_go_first_at_each_boundary() -> None:
    site = Site(budget=16)
    site.ask(Lane.LOW, text(1), text(2), text(3))
    assert marks(site.next()) == [1, 2]
    site.ask(Lane.NORMAL, text(4))
    site.ask(Lane.HIGH, text(5))
    assert [marks(site.next()) for _ in range(3)] == [[5], [4], [3]]


def test_a_low_text_has_its_turn_though_urgent_ones_keep_coming() -> None:
    site = Site(budget=8, age_after_batches=3)
    site.ask(Lane.LOW, text(99))
    served = []
    for mark in range(6):
        site.ask(Lane.HIGH, text(mark))
        served += marks(site.next())
    assert served.index(99) == 3


def test_an_equal_text_is_computed_once_for_all_who_want_it() -> None:
    site = Site()
    first, second = site.ask(Lane.NORMAL, text(1), text(1)), site.ask(Lane.LOW, text(2), text(1))
    call = site.next()
    takers = dict(zip(marks(call), site.queues.finish(call), strict=True))
    assert [(taker.request, taker.index) for taker in takers[1]] == [
        (first, 0),
        (first, 1),
        (second, 1),
    ]
    call = site.next()
    assert [(t.request, t.index) for t in site.queues.finish(call)[0]] == [(second, 0)]


def test_an_equal_text_is_joined_while_it_runs() -> None:
    site = Site()
    site.ask(Lane.NORMAL, text(1))
    call = site.next()
    late = site.ask(Lane.NORMAL, text(1))
    assert late in [taker.request for taker in site.queues.finish(call)[0]]
    assert sum(site.queues.waiting().values()) == 0


def test_an_urgent_text_never_waits_for_its_equal_in_bulk() -> None:
    site = Site(budget=8)
    site.ask(Lane.LOW, text(1), text(2))
    urgent = site.ask(Lane.HIGH, text(2))
    call = site.next()
    assert (call.lane, marks(call)) == (Lane.HIGH, [2])
    assert [taker.request for taker in site.queues.finish(call)[0]] == [urgent]
    assert [marks(site.next()), marks(site.next())] == [[1], [2]]


def test_texts_of_other_models_and_equal_ids_never_meet() -> None:
    site, other = Site(), FakeModel("other")
    site.ask(Lane.NORMAL, text(1))
    site.ask(Lane.NORMAL, text(1), text(2), model=other)
    site.ask(Lane.NORMAL, text(3))
    calls = [site.next(), site.next()]
    assert [(call.model.name, marks(call)) for call in calls] == [("m", [1, 3]), ("other", [1, 2])]


def test_what_nobody_wants_any_more_is_not_computed() -> None:
    site = Site()
    gone = site.ask(Lane.NORMAL, text(1), text(2))
    site.ask(Lane.NORMAL, text(2), text(3))
    gone.abandoned = True
    assert marks(site.next()) == [2, 3]


def test_halves_of_a_failed_call_go_first_and_stay_apart() -> None:
    site = Site()
    site.ask(Lane.NORMAL, *[text(mark) for mark in (1, 2, 3)])
    failed = site.next()
    site.ask(Lane.NORMAL, text(4))
    site.queues.add_halves(failed)
    assert site.queues.waiting()[Lane.NORMAL] == 4
    assert [marks(site.next()) for _ in range(3)] == [[1], [2, 3], [4]]


def test_a_models_own_limits_hold() -> None:
    site = Site(budget=64)
    site.ask(Lane.NORMAL, *map(text, range(4)), model=FakeModel("few", batch_texts=2))
    site.ask(Lane.NORMAL, *map(text, range(4)), model=FakeModel("short", batch_tokens=24))
    found = [(call.model.name, len(call.jobs)) for call in (site.next() for _ in range(4))]
    assert found == [("few", 2), ("few", 2), ("short", 3), ("short", 1)]


def test_an_encoder_takes_only_calls_of_models_that_have_it() -> None:
    site, twin = Site(), FakeModel("twin", encoders=[None, None])
    site.ask(Lane.HIGH, text(1))
    site.ask(Lane.LOW, text(2), model=twin)
    assert marks(site.next(encoder=1)) == [2]
    assert not site.queues._in_waiting(1)
    assert marks(site.next(encoder=0)) == [1]


def test_closing_wakes_who_waits() -> None:
    site, found = Site(), []
    threads = [
        threading.Thread(target=lambda: found.append(site.queues.wait_next_call(0)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    site.queues.close()
    for thread in threads:
        thread.join(10)
    assert found == [None, None]


def test_texts_that_come_wake_every_encoder_that_can_help() -> None:
    site, found = Site(budget=8), []
    site.model.encoders.append(None)
    threads = [
        threading.Thread(target=lambda n=n: found.append(site.queues.wait_next_call(n)))
        for n in range(2)
    ]
    for thread in threads:
        thread.start()
    site.ask(Lane.NORMAL, text(1), text(2))
    for thread in threads:
        thread.join(10)
    assert sorted(marks(call)[0] for call in found if call) == [1, 2]


@pytest.mark.parametrize("lane", list(Lane))
def test_who_waits_is_counted_by_lane(lane: Lane) -> None:
    site = Site()
    site.ask(lane, text(1), text(2), text(1))
    assert site.queues.waiting() == {each: 2 if each is lane else 0 for each in Lane}


def picture(mark: int) -> ReadyImage:
    """An image of its own, as long as a text of 8 tokens."""
    return ReadyImage(Pixels(1, 1, bytes([mark, 0, 0])), 8)


def names(call: Call) -> list[str]:
    return [
        f"i{job.ready.pixels.data[0]}" if isinstance(job.ready, ReadyImage)
        else f"t{job.ready.ids[0]}"
        for job in call.jobs
    ]  # fmt: skip


def test_images_and_texts_of_one_model_take_turns_by_age() -> None:
    site = Site(budget=16)
    site.ask(Lane.NORMAL, text(1), picture(1), text(2), picture(2), picture(3), text(3))
    calls = [site.next() for _ in range(4)]
    assert [names(call) for call in calls] == [["t1", "t2"], ["i1", "i2"], ["i3"], ["t3"]]
    assert [call.noun for call in calls] == ["text", "image", "image", "text"]
    assert [call.line.images for call in calls] == [False, True, True, False]


def test_an_image_is_never_taken_for_a_text_of_the_same_bytes() -> None:
    site, shown = Site(), picture(7)
    ids = np.frombuffer(shown.key, dtype=np.int32)
    site.ask(Lane.NORMAL, Tokenized(ids, len(ids)), shown, picture(7))
    assert [len(site.next().jobs) for _ in range(2)] == [1, 1]


def test_texts_and_images_have_budgets_of_their_own() -> None:
    queues = LaneQueues(BatchOptions(), lambda line: 8 if line.images else 64)
    request = Request(EncodeOptions(), 4, lambda done: None)
    model = cast(Model, FakeModel())
    queues.add(Lane.NORMAL, model, [picture(1), picture(2), text(1), text(2)], request)
    calls = [queues.wait_next_call(0) for _ in range(3)]
    assert [names(call) for call in calls if call] == [["i1"], ["i2"], ["t1", "t2"]]
