"""What we replace or lean on within Faust and aiokafka, as it stood when our code was written.

An upgrade that changes one of these must be read before it is taken: what is replaced may have
been mended, what is leant on may be gone. Then run the acceptance tests and `make faults`, and
write the new hash here.
"""

import hashlib
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka.consumer.consumer import AIOKafkaConsumer
from aiokafka.consumer.group_coordinator import GroupCoordinator
from faust.assignor.partition_assignor import PartitionAssignor
from faust.stores.rocksdb import Store
from faust.tables.recovery import Recovery
from faust.transport.consumer import Consumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

#: What it is to us, the function, and the beginning of its source's sha256.
PINS: list[tuple[str, Callable[..., Any], str]] = [
    ("T1: commits the highest acknowledged offset", Consumer._new_offset, "1d2c7ea89a7a"),
    ("T1: asks its own books", Consumer._filter_tps_with_pending_acks, "f6f923977423"),
    ("replaced: its books only grow", Consumer.ack, "5fcf41cf4515"),
    ("A5: counts a hole as done", Consumer._add_gap, "4df2573ded7c"),
    ("A5: moves the offset though delivery was cut", Consumer._drain_messages, "44a2500309e8"),
    ("T5: notes a failed commit as done", Consumer._commit_offsets, "1a6979904118"),
    ("replaced: waits without limit", Consumer.wait_empty, "e4662fe24f09"),
    ("makes the consumer whose isolation and wait we set",
     AIOKafkaConsumerThread._create_worker_consumer, "c2701bfc3e6f"),
    ("holds the consumer's options as attributes", AIOKafkaConsumer.__init__, "01506f316191"),
    ("the lease is renewed by it", GroupCoordinator._do_heartbeat, "dc1d6632aaa6"),
    ("gives a partition's database", Store._db_for_partition, "cb7e67d5f9ef"),
    ("tells what recovery has left", Recovery.active_remaining_total, "b61e82f5a385"),
    ("tells which master owns what", PartitionAssignor._update_member_urls, "42c1ee6897e1"),
]  # fmt: skip


@pytest.mark.parametrize("what, function, pinned", PINS, ids=[f.__qualname__ for _, f, _ in PINS])
def test_what_we_replace_or_lean_on_is_as_it_was(
    what: str, function: Callable[..., Any], pinned: str
) -> None:
    now = hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:12]
    assert now == pinned, f"{function.__qualname__} has changed ({what}): read it before upgrading"
