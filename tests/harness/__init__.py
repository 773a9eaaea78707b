"""The shared test harness: one stack, processes of the service, a client, Kafka's own producers.

`from tests.harness import stack` in a conftest gives the fixture; all folders that do so share one
stack in a session. A `Service` is one process under a topic prefix of its own, ended by pid when
its `with` ends, whatever happened.
"""

from tests.harness.client import Answer, Client
from tests.harness.kafka import Log, console_produce
from tests.harness.reference import hashing_vectors
from tests.harness.service import Service, free_port, fresh_collection, fresh_prefix
from tests.harness.shared_stack import stack
from tests.harness.waiting import PATIENCE_S, until, until_sync

__all__ = [
    "PATIENCE_S",
    "Answer",
    "Client",
    "Log",
    "Service",
    "console_produce",
    "free_port",
    "fresh_collection",
    "fresh_prefix",
    "hashing_vectors",
    "stack",
    "until",
    "until_sync",
]
