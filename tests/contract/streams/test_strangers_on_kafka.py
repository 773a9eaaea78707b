"""Rows that a master sent late, after it had lost its partition: they lie behind, and lose."""

from collections.abc import Callable

import orjson
import pytest

from models.errors import OwnerUnavailable
from streams.app import StageApp
from streams.changelog_watch import ChangelogWatch
from streams.records import Place
from streams.tables import DurableTable
from tests.contract.streams.conftest import Broker, Running, Taker
from tests.harness import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def row(version: int) -> bytes:
    return orjson.dumps({"version": version})


def number_of(raw: bytes) -> int:
    return int(orjson.loads(raw)["version"])


def version_of(raw: bytes) -> tuple[int]:
    return (number_of(raw),)


class Owner:
    """A table whose values have versions."""

    def __init__(self, check: Callable[[], None] = lambda: None) -> None:
        self._check = check
        self.table: DurableTable | None = None

    def prepare(self, app: StageApp) -> None:
        self.table = DurableTable(app, "rows", 1, check=self._check, version_of=version_of)

    async def put(self, key: bytes, version: int) -> None:
        assert self.table is not None
        await (await self.table.put(0, key, row(version)))

    def versions(self) -> dict[bytes, int]:
        assert self.table is not None
        return {key: number_of(value) for key, value in self.table.scan(0)}


@pytest.fixture
async def changelog(broker: Broker) -> str:
    name = f"{broker.group}-rows-changelog"
    await broker.create(broker.name)
    await broker.create(name, **{"cleanup.policy": "compact"})
    return name


async def standing(app: StageApp) -> None:
    async def look() -> bool:
        return bool(app.in_standing())

    await until("it has recovered", look)


async def test_who_wrote_late_still_recovers_what_the_other_wrote_in_between(
    broker: Broker, running: Running, changelog: str
) -> None:
    first = Owner()
    async with running(Taker(), prepare=first.prepare) as app:
        await standing(app)
        await first.put(b"a", 1)
        await broker.send(changelog, b"a", row(5))  # the new owner's
        await first.put(b"b", 1)  # ours, late
        await first.put(b"c", 1)
    again = Owner()
    async with running(Taker(), prepare=again.prepare) as app:
        await standing(app)
        assert again.versions() == {b"a": 5, b"b": 1, b"c": 1}


@pytest.mark.parametrize("data", ["data", "empty"])
async def test_the_newest_row_of_a_key_counts_not_the_last(
    broker: Broker, running: Running, changelog: str, data: str
) -> None:
    owner = Owner()
    async with running(Taker(), prepare=owner.prepare) as app:
        await standing(app)
        await owner.put(b"a", 7)
        await broker.send(changelog, b"a", row(3))  # of one who was woken
        await broker.send(changelog, b"b", row(1))
    recovered = Owner()
    async with running(Taker(), data=data, prepare=recovered.prepare) as app:
        await standing(app)
        assert recovered.versions() == {b"a": 7, b"b": 1}
        await recovered.put(b"a", 8)
    last = Owner()
    async with running(Taker(), data=data, prepare=last.prepare) as app:
        await standing(app)
        assert last.versions() == {b"a": 8, b"b": 1}


async def test_a_row_that_was_deleted_may_come_again(
    broker: Broker, running: Running, changelog: str
) -> None:
    await broker.send(changelog, b"a", row(9))
    await broker.send(changelog, b"a", None)
    await broker.send(changelog, b"a", row(1))
    owner = Owner()
    async with running(Taker(), prepare=owner.prepare) as app:
        await standing(app)
        assert owner.versions() == {b"a": 1}


async def test_the_owner_writes_once_more_over_what_a_stranger_wrote(
    broker: Broker, running: Running, changelog: str
) -> None:
    """Compaction keeps the last record of a key."""
    owner = Owner()
    async with running(Taker(), prepare=owner.prepare) as app:
        await standing(app)
        assert owner.table is not None
        await owner.put(b"a", 7)
        await owner.put(b"b", 1)
        await broker.send(changelog, b"a", row(3))
        watch = ChangelogWatch([owner.table], app.reader, lambda: frozenset({0}), lambda: True)
        for _ in range(3):
            await watch.look(owner.table)
        span = await app.reader.read(Place(changelog, 0), 0, 4)
        assert [(one.key, number_of(one.value or b"")) for one in span.records] == [
            (b"a", 7), (b"b", 1), (b"a", 3), (b"a", 7),
        ]  # fmt: skip
        assert owner.table.hole(0, 4) == range(4, 4)


async def test_who_holds_no_lease_writes_nothing_and_asserts_nothing(
    broker: Broker, running: Running, changelog: str
) -> None:
    def refuse() -> None:
        raise OwnerUnavailable

    owner = Owner(refuse)
    async with running(Taker(), prepare=owner.prepare) as app:
        await standing(app)
        assert owner.table is not None
        with pytest.raises(OwnerUnavailable):
            await owner.put(b"a", 1)
        assert owner.versions() == {}
        await broker.send(changelog, b"a", row(3))
        watch = ChangelogWatch([owner.table], app.reader, lambda: frozenset({0}), lambda: False)
        for _ in range(3):
            await watch.look(owner.table)
        assert owner.table.hole(0, 1) == range(1)
