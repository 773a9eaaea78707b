"""The local stack: Kafka, Redis and Weaviate as real servers, without Docker.

On the command line it is `python -m scripts.stack up|down|status`; tests use the functions
below. Every server runs on 127.0.0.1 out of one *stack folder*, which holds the data, the
logs and `state.json`; several stacks run side by side. `docs/stack.md` is the guide.
"""

from scripts.stack.errors import MissingTool, PortTaken, ServerFailed, StackError
from scripts.stack.lifecycle import (
    advertise,
    kill_service,
    start_service,
    start_stack,
    stop_service,
    stop_stack,
)
from scripts.stack.state import SERVICES, ServerState, StackState, load_state
from scripts.stack.status import ServerStatus, stack_status

__all__ = [
    "SERVICES",
    "MissingTool",
    "PortTaken",
    "ServerFailed",
    "ServerState",
    "ServerStatus",
    "StackError",
    "StackState",
    "advertise",
    "kill_service",
    "load_state",
    "stack_status",
    "start_service",
    "start_stack",
    "stop_service",
    "stop_stack",
]
