"""Intake: accepted before units, nothing before the verdict, and strangers' records."""

import asyncio
from base64 import b64encode
from dataclasses import replace
from typing import Any

import orjson
import pytest

from agents.intake import Intake, IntakeOptions
from agents.track import VerdictDesk
from models.documents import ChunkOptions
from models.encoding import EncodeOptions, Encoding, Truncate
from models.errors import BrokerUnavailable, HandedBack, NewerRecord
from models.events import Accepted
from models.files import key_of
from models.fold import Verdict
from models.ids import task_id_for_source
from models.splitting import TaskLimits
from models.states import ItemErrorCode, Lane
from models.tasks import TaskRequest, body_hash
from models.units import SourcePlace
from streams.codec import decode_file, decode_unit
from streams.records import Record
from streams.task_log import BY_HTTP
from tests.unit.agents.fakes import CATALOG, TINY, deliveries, events_of, topics_of
from tests.unit.models.making import NOW_MS
from tests.unit.streams.fakes import NAMES, FakeProducer, reason_of, record, tools

HOUR_MS = 3_600_000
#: What the tools of a test let through.
BURIED_A_MINUTE = 100
BODY: dict[str, Any] = {
    "task_id": "t1",
    "task_type": "batch_vectorization",
    "data": ["a", "", "b", "c"],
}


class Bench:
    """An intake whose verdicts the test gives."""

    def __init__(self) -> None:
        self.producer = FakeProducer()
        self.desk = VerdictDesk()
        self.books = deliveries()
        self.intake = Intake(
            tools(self.producer),
            deliveries=self.books,
            verdicts=self.desk,
            resolve=CATALOG.resolve,
            partition_of=lambda key: 0,
            options=IntakeOptions(TaskLimits(unit_items=2), retention_hours=1),
        )

    async def take(self, each: Record, verdict: Verdict | None = Verdict.OWN) -> None:
        task = asyncio.create_task(self.begin(each))
        await self.sent_so_far()
        if verdict is not None:
            self.desk.answer("t1", SourcePlace(partition=0, offset=each.offset), verdict)
        await asyncio.wait_for(task, 1)

    async def begin(self, each: Record) -> None:
        await (await self.intake.begin(each))

    async def sent_so_far(self) -> list[str]:
        for _ in range(10):
            await asyncio.sleep(0)
        return topics_of(self.producer.sent)

    @property
    def accepted(self) -> Accepted:
        (event,) = events_of(self.producer)
        assert isinstance(event, Accepted)
        return event

    @property
    def dead(self) -> list[str]:
        return [reason_of(each) for each in self.producer.to(NAMES.dead)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def task_record(
    body: object = None, *, key: bytes | None = b"t1", offset: int = 5, **more: Any
) -> Record:
    raw = body if isinstance(body, bytes) else orjson.dumps(BODY if body is None else body)
    return record(offset, raw, key=key, topic=NAMES.tasks, **more)


async def test_no_unit_is_sent_before_the_verdict_own(bench: Bench) -> None:
    task = asyncio.create_task(bench.begin(task_record()))
    assert await bench.sent_so_far() == [NAMES.events]
    bench.desk.answer("t1", SourcePlace(partition=0, offset=5), Verdict.OWN)
    await asyncio.wait_for(task, 1)
    assert topics_of(bench.producer.sent) == [NAMES.events] + [NAMES.units(Lane.NORMAL)] * 2


async def test_an_answer_about_another_record_is_not_this_ones(bench: Bench) -> None:
    task = asyncio.create_task(bench.begin(task_record()))
    await bench.sent_so_far()
    bench.desk.answer("t1", SourcePlace(partition=0, offset=6), Verdict.OWN)
    bench.desk.answer("t2", SourcePlace(partition=0, offset=5), Verdict.OWN)
    assert await bench.sent_so_far() == [NAMES.events]
    task.cancel()


async def test_the_accepted_event_says_what_the_task_is(bench: Bench) -> None:
    body = BODY | {
        "model_name": "small",
        "priority": "high",
        "deadline_s": 2,
        "queue_timeout_s": 0.5,
        "run_timeout_s": 3,
        "metadata": {"k": 1},
        "item_ids": ["w", "x", "y", "z"],
        "retry_of": "t0",
        "traceparent": "00-aa",
    }
    await bench.take(task_record(body, timestamp_ms=NOW_MS - 7))
    said = bench.accepted
    assert said.source == SourcePlace(partition=0, offset=5)
    assert (said.model, said.collection, said.lane) == ("tiny", "Tiny", Lane.HIGH)
    assert said.fingerprint == CATALOG.resolve("tiny").fingerprint
    assert (said.total_items, said.total_units) == (4, 2)
    assert (said.submitted_ms, said.deadline_ms) == (NOW_MS - 7, NOW_MS - 7 + 2000)
    assert (said.queue_timeout_ms, said.run_timeout_ms) == (500, 3000)
    assert [(f.index, f.code, f.own_id) for f in said.rejected] == [
        (1, ItemErrorCode.EMPTY_TEXT, "x")
    ]
    assert (said.own_ids, said.metadata, said.retry_of) == (True, {"k": 1}, "t0")
    assert said.body_hash == body_hash(TaskRequest.model_validate(body))
    assert bench.producer.sent[0].key == b"t1"


async def test_the_time_the_service_took_it_is_the_tasks_time(bench: Bench) -> None:
    await bench.take(task_record(BODY | {"submitted_ms": NOW_MS - 99}))
    assert bench.accepted.submitted_ms == NOW_MS - 99


async def test_nobody_submits_in_the_future(bench: Bench) -> None:
    """It would head every list, outrank later tasks, and outlive its retention."""
    await bench.take(task_record(BODY | {"submitted_ms": NOW_MS + 10**9}))
    assert bench.accepted.submitted_ms == NOW_MS


async def test_units_carry_every_good_item_once_under_their_own_keys(bench: Bench) -> None:
    await bench.take(task_record())
    sent = bench.producer.to(NAMES.units(Lane.NORMAL))
    units = [decode_unit(each.value) for each in sent]
    assert [each.key for each in sent] == [b"t1/0", b"t1/1"]
    assert [[item.index for item in unit.items] for unit in units] == [[0, 2], [3]]
    assert [unit.number for unit in units] == [0, 1]
    assert {unit.source for unit in units} == {SourcePlace(partition=0, offset=5)}


@pytest.mark.parametrize("priority, lane", [("low", Lane.LOW), (9, Lane.HIGH), (1, Lane.NORMAL)])
async def test_the_priority_is_the_units_topic(
    bench: Bench, priority: int | str, lane: Lane
) -> None:
    await bench.take(task_record(BODY | {"priority": priority}))
    assert {*topics_of(bench.producer.sent[1:])} == {NAMES.units(lane)}


async def test_a_repeat_does_nothing_more(bench: Bench) -> None:
    await bench.take(task_record(), Verdict.REPEAT)
    assert topics_of(bench.producer.sent) == [NAMES.events]


async def test_a_conflict_is_a_dead_letter_and_sends_no_unit(bench: Bench) -> None:
    await bench.take(task_record(), Verdict.CONFLICT)
    assert topics_of(bench.producer.sent) == [NAMES.events, NAMES.dead]
    assert bench.dead == ["conflict"]


async def test_conflicts_that_a_client_was_answered_for_hold_no_other_record_up(
    bench: Bench,
) -> None:
    for offset in range(BURIED_A_MINUTE + 1):
        told = replace(task_record(offset=offset), headers=(BY_HTTP,))
        await bench.take(told, Verdict.CONFLICT)
    assert bench.dead == ["conflict"] * (BURIED_A_MINUTE + 1)


@pytest.mark.parametrize(
    "key, partition", [(b"other", 0), (None, 0), (b"t1", 3)], ids=["key", "no key", "partition"]
)
async def test_a_record_in_the_wrong_place_is_sent_home_and_otherwise_ignored(
    bench: Bench, key: bytes | None, partition: int
) -> None:
    await bench.take(task_record(key=key, partition=partition, timestamp_ms=NOW_MS - 3), None)
    (home,) = bench.producer.sent
    assert (home.topic, home.key) == (NAMES.tasks, b"t1")
    again = TaskRequest.model_validate_json(home.value or b"")
    assert again.submitted_ms == NOW_MS - 3
    assert body_hash(again) == body_hash(TaskRequest.model_validate(BODY))


async def test_a_record_without_id_and_key_comes_home_under_the_name_of_its_place(
    bench: Bench,
) -> None:
    body = {name: value for name, value in BODY.items() if name != "task_id"}
    await bench.take(task_record(body, key=None, offset=8), None)
    (home,) = bench.producer.sent
    named = task_id_for_source(NAMES.tasks, 0, 8)
    assert home.key == named.encode()
    assert TaskRequest.model_validate_json(home.value or b"").task_id == named


@pytest.mark.parametrize(
    "body, reason",
    [
        (b"no json", "invalid_task"),
        (b"", "invalid_task"),
        (b"[1]", "invalid_task"),
        (BODY | {"data": []}, "invalid_task"),
        (BODY | {"extra": 1}, "invalid_task"),
        (BODY | {"submitted_ms": 10**18}, "invalid_task"),
        (BODY | {"deadline_s": "inf"}, "invalid_task"),
        (BODY | {"model_name": "gpt"}, "unknown_model"),
        (BODY | {"dimensions": 3}, "invalid_task"),
        (BODY | {"dimensions": 2.5}, "invalid_task"),
        (BODY | {"input_type": "poem"}, "invalid_task"),
        (BODY | {"prompt": "p", "input_type": "query"}, "invalid_task"),
        (BODY | {"truncate": "middle"}, "invalid_task"),
        (BODY | {"encoding": "hex"}, "invalid_task"),
    ],
)
async def test_what_can_never_be_a_task_is_a_dead_letter_with_its_reason(
    bench: Bench, body: object, reason: str
) -> None:
    await bench.take(task_record(body), None)
    assert topics_of(bench.producer.sent) == [NAMES.dead]
    assert bench.dead == [reason]


@pytest.mark.parametrize(
    "option, said",
    [
        ({"dimensions": 3}, "dimensions: model tiny is not trained for 3; allowed: 2, 4"),
        ({"input_type": "poem"}, "input_type: model tiny knows no input type 'poem'"),
        ({"prompt": "p", "input_type": "query"}, "prompt: give either prompt or input_type"),
    ],
)
async def test_a_refused_options_dead_letter_says_what_is_allowed(
    bench: Bench, option: dict[str, Any], said: str
) -> None:
    await bench.take(task_record(BODY | option), None)
    (dead,) = bench.producer.to(NAMES.dead)
    assert said in dict(dead.headers)["detail"].decode()


async def test_a_task_without_options_goes_the_models_own_way(bench: Bench) -> None:
    await bench.take(task_record())
    assert bench.accepted.options == TINY.default_options()
    assert bench.accepted.fingerprint == TINY.fingerprint
    assert (bench.accepted.input_type, bench.accepted.encoding) == ("document", Encoding.FLOAT)


async def test_the_units_carry_the_options_resolved_and_the_space_follows_them(
    bench: Bench,
) -> None:
    chosen = {"dimensions": 2, "normalize": False, "input_type": "query", "truncate": "error"}
    await bench.take(task_record(BODY | chosen | {"encoding": "base64"}))
    options = EncodeOptions(
        prompt="query: ", dimensions=2, normalize=False, truncate=Truncate.ERROR
    )
    said = bench.accepted
    assert (said.options, said.input_type) == (options, "query")
    assert said.encoding is Encoding.BASE64
    assert said.fingerprint == TINY.passport_of(options).fingerprint != TINY.fingerprint
    units = [decode_unit(each.value) for each in bench.producer.to(NAMES.units(Lane.NORMAL))]
    assert [unit.options for unit in units] == [options] * 2
    assert {unit.fingerprint for unit in units} == {said.fingerprint}


async def test_a_prompt_of_the_tasks_own_stands_instead_of_the_models(bench: Bench) -> None:
    await bench.take(task_record(BODY | {"prompt": "title: "}))
    assert (bench.accepted.options.prompt, bench.accepted.input_type) == ("title: ", "")


async def test_how_a_text_is_cut_makes_no_other_space(bench: Bench) -> None:
    await bench.take(task_record(BODY | {"truncate": "start"}))
    assert bench.accepted.options.truncate is Truncate.START
    assert bench.accepted.fingerprint == TINY.fingerprint


async def test_a_record_sent_home_keeps_its_options(bench: Bench) -> None:
    chosen = {"dimensions": 2, "normalize": False, "prompt": "", "truncate": "start"}
    await bench.take(task_record(BODY | chosen, key=None), None)
    (home,) = bench.producer.sent
    again = TaskRequest.model_validate_json(home.value or b"")
    assert body_hash(again) == body_hash(TaskRequest.model_validate(BODY | chosen))
    assert (again.prompt, again.dimensions, again.normalize) == ("", 2, False)


async def test_a_tombstone_is_a_dead_letter(bench: Bench) -> None:
    await bench.take(record(5, None, key=b"t1", topic=NAMES.tasks), None)
    assert bench.dead == ["invalid_task"]


async def test_a_record_older_than_the_retention_is_ignored(bench: Bench) -> None:
    """It was a task once and is purged by now, so it is no dead letter either."""
    await bench.take(task_record(timestamp_ms=NOW_MS - HOUR_MS - 1), None)
    assert bench.producer.sent == []
    await bench.take(task_record(timestamp_ms=NOW_MS - HOUR_MS, offset=6))
    assert bench.accepted.source.offset == 6


async def test_a_newer_record_is_left_to_the_delivery(bench: Bench) -> None:
    with pytest.raises(NewerRecord):
        await bench.take(task_record(BODY | {"v": 2}), None)
    assert bench.producer.sent == []


async def test_a_task_with_no_good_item_sends_its_accepted_event_and_no_unit(bench: Bench) -> None:
    await bench.take(task_record(BODY | {"data": ["", " "]}), Verdict.REPEAT)
    assert bench.accepted.total_units == 0
    assert len(bench.accepted.rejected) == 2


async def test_a_broker_that_is_away_leaves_the_record_for_another_attempt(bench: Bench) -> None:
    bench.producer.refuse.add(NAMES.events)
    with pytest.raises(BrokerUnavailable):
        await bench.take(task_record(), None)
    await asyncio.sleep(0)
    bench.producer.refuse.clear()
    await bench.take(task_record())
    assert topics_of(bench.producer.sent) == [NAMES.events] + [NAMES.units(Lane.NORMAL)] * 2


async def test_a_unit_that_was_not_taken_fails_the_attempt(bench: Bench) -> None:
    bench.producer.refuse.add(NAMES.units(Lane.NORMAL))
    with pytest.raises(BrokerUnavailable):
        await bench.take(task_record())


async def test_a_record_that_waits_for_its_verdict_is_handed_back_when_leaving(
    bench: Bench,
) -> None:
    task = asyncio.create_task(bench.begin(task_record()))
    await bench.sent_so_far()
    bench.books.leaving.set()
    with pytest.raises(HandedBack):
        await task


async def test_an_attempt_right_after_another_gets_its_answer() -> None:
    desk, place = VerdictDesk(), SourcePlace(partition=0, offset=5)
    first = desk.expect("t1", place)
    first.cancel()
    second = desk.expect("t1", place)
    await asyncio.sleep(0)
    desk.answer("t1", place, Verdict.OWN)
    assert second.done()


async def test_a_record_intake_broke_on_is_buried_by_the_last_resort(bench: Bench) -> None:
    await bench.intake.poison(task_record(), ValueError("odd"), 3)
    assert bench.dead == ["intake_failed"]


DOCUMENT: dict[str, Any] = {
    "task_id": "t1",
    "task_type": "document_vectorization",
    "data": b64encode(b"%PDF-1.7").decode(),
    "filename": "a.pdf",
    "document_id": "doc",
    "metadata": {"k": 1},
}


async def test_a_document_goes_to_be_read_and_its_items_stay_open(bench: Bench) -> None:
    await bench.take(task_record(DOCUMENT))
    said = bench.accepted
    assert (said.total_items, said.total_units, said.own_ids) == (0, 0, True)
    assert topics_of(bench.producer.sent) == [NAMES.events, NAMES.files(Lane.NORMAL)]
    [sent] = bench.producer.to(NAMES.files(Lane.NORMAL))
    order, content = decode_file(sent.value)
    assert (sent.key, content) == (key_of(order), b"%PDF-1.7")
    assert key_of(order) == f"default\x1fTiny\x1f{said.fingerprint}\x1fdoc".encode()
    assert (order.document, order.cut, order.source) == (said.document, said.cut, said.source)
    assert (order.metadata, order.model) == ({"k": 1}, "tiny")


async def test_a_document_without_an_id_has_its_tasks_key(bench: Bench) -> None:
    await bench.take(task_record({**DOCUMENT, "document_id": None}))
    [sent] = bench.producer.to(NAMES.files(Lane.NORMAL))
    assert (sent.key, bench.accepted.own_ids) == (b"t1", False)


async def test_a_document_is_cut_for_its_model_unless_the_task_says_otherwise(
    bench: Bench,
) -> None:
    await bench.take(task_record(DOCUMENT))
    assert bench.accepted.document is not None
    assert bench.accepted.document.chunks == ChunkOptions(tokens=16, overlap=4)


async def test_chunks_that_the_model_would_cut_short_are_a_dead_letter(bench: Bench) -> None:
    await bench.take(task_record(DOCUMENT | {"chunk_tokens": 17}), verdict=None)
    assert bench.dead == ["invalid_task"]


async def test_a_repeat_of_a_document_is_not_read_again(bench: Bench) -> None:
    await bench.take(task_record(DOCUMENT), Verdict.REPEAT)
    assert topics_of(bench.producer.sent) == [NAMES.events]
