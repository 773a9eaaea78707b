"""All of the owner's side in one: the tables, what may be shown of them, and whose they are."""

from dataclasses import dataclass

from streams import figures
from streams.app import StageApp
from streams.board import Board, FinalBell
from streams.changelog_watch import ChangelogWatch
from streams.freshness import Freshness
from streams.lease import Lease
from streams.membership import Membership
from streams.owners import Owners
from streams.producing import PartitionOf
from streams.row_store import RowStore, version_of
from streams.tables import DurableTable
from streams.topics import ERRORS, TASKS, TopicNames


@dataclass(frozen=True, slots=True)
class OwnedRows:
    """The rows of a master, from the writer's, the reader's and the neighbours' side."""

    rows: RowStore
    finals: FinalBell
    board: Board
    owners: Owners


def own_rows(
    app: StageApp,
    names: TopicNames,
    partition_of: PartitionOf,
    *,
    partitions: int,
    session_timeout_s: float,
    read_timeout_s: float,
) -> OwnedRows:
    """Declare the tables on a master's app; each rebalance makes their owner begin anew."""
    membership = Membership(app, names.events)
    lease = Lease(app, session_timeout_s)
    tasks = DurableTable(app, TASKS, partitions, check=lease.check, version_of=version_of)
    errors = DurableTable(app, ERRORS, partitions, check=lease.check)
    for table in (tasks, errors):
        figures.TABLE_BUFFERS.labels(table.name).set_function(table.buffers_bytes)
    rows, finals = RowStore(tasks, errors, membership.owned), FinalBell()
    watch = ChangelogWatch((tasks, errors), app.reader, membership.owned, lease.holds)
    freshness = Freshness(app.deliveries, lease, membership, names)
    _follow_rebalances(app, rows, freshness, lease)
    app.background("tails", membership.watch_tails)
    app.background("gates", freshness.keep_gates)
    app.background("changelogs", watch.run)
    app.background("rows", rows.keep_loaded)
    board = Board(
        rows=rows,
        freshness=freshness,
        finals=finals,
        partition_of=partition_of,
        read_timeout_s=read_timeout_s,
    )
    return OwnedRows(
        rows, finals, board, Owners(app, names.changelog(TASKS), partitions, partition_of)
    )


def _follow_rebalances(app: StageApp, rows: RowStore, freshness: Freshness, lease: Lease) -> None:
    def leave(*_: object, **__: object) -> None:
        rows.drop_indexes()
        freshness.close_gates()

    def arrive(*_: object, **__: object) -> None:
        lease.watch_heartbeats()

    app.on_partitions_revoked.connect(leave, weak=False)
    app.on_partitions_assigned.connect(arrive, weak=False)
