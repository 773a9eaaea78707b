"""What a stack is: its servers, where they listen, and which processes they are.

`state.json` in the stack folder is this, written whole or not at all. The service's settings
read its `settings` object below the environment, so that a second shell finds the stack.
"""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError, computed_field

from scripts.stack.errors import StackError, UnknownService
from scripts.stack.places import STACK_DIR_VARIABLE, state_file
from scripts.stack.processes import ProcessRef

SERVICES = ("kafka", "redis", "weaviate")

VARIABLES = {
    "kafka.bootstrap_servers": "VECTORIZE_MASTER_KAFKA_BOOTSTRAP_SERVERS",
    "database.redis_url": "VECTORIZE_MASTER_REDIS_URL",
    "database.weaviate_url": "VECTORIZE_MASTER_WEAVIATE_URL",
    "database.weaviate_grpc_url": "VECTORIZE_MASTER_DATABASE_WEAVIATE_GRPC_URL",
}
"""Setting name -> the environment variable that sets it."""


class ServerState(BaseModel):
    """One server of a stack."""

    model_config = ConfigDict(frozen=True)

    name: str
    process: ProcessRef | None = None
    """The process that was started last; it may have died since. None when it was ended."""
    ports: dict[str, int]
    """What listens where: `main` is the port clients use."""
    url: str
    settings: dict[str, str]
    """What the service must be told to find this server."""
    log: Path
    off: str | None = None
    """Why this server cannot run here; None when it can."""


class StackState(BaseModel):
    """One stack: a folder and the servers that run out of it."""

    model_config = ConfigDict(frozen=True)

    version: int = 1
    directory: Path
    ephemeral: bool = False
    up: bool = False
    """Whether the servers are meant to run: true between `up` and `down`."""
    servers: dict[str, ServerState] = {}
    advertised: dict[str, int] = {}
    """Ports that servers name to their clients in place of their own: a proxy's."""

    @computed_field  # type: ignore[prop-decorator]  # mypy: decorators on properties
    @property
    def settings(self) -> dict[str, str]:
        """The service's settings for this stack; empty after `down`."""
        servers = self.servers.values() if self.up else ()
        return {key: value for server in servers for key, value in server.settings.items()}

    def server(self, name: str) -> ServerState:
        """One server by name. Raises UnknownService."""
        if name not in self.servers:
            raise UnknownService(name, ", ".join(self.servers))
        return self.servers[name]

    def with_server(self, server: ServerState) -> "StackState":
        """The same stack with this server added or replaced."""
        return self.model_copy(update={"servers": {**self.servers, server.name: server}})

    def taken_ports(self, *, but: str) -> set[int]:
        """The ports of all servers except `but`."""
        others = (server for server in self.servers.values() if server.name != but)
        return {port for server in others for port in server.ports.values()}


def load_state(directory: Path) -> StackState | None:
    """The stack in `directory`; None when there is none. Raises StackError on a broken file."""
    path = state_file(directory)
    try:
        return StackState.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise StackError(
            f"{path} cannot be read ({error.error_count()} errors). End the servers it names, "
            "if any, and delete the file"
        ) from error


def save_state(state: StackState) -> None:
    """Writes `state.json` whole: a reader sees the old or the new one, never a half."""
    path = state_file(state.directory)
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(f".{os.getpid()}.tmp")
    half.write_text(state.model_dump_json(indent=2) + "\n")
    half.replace(path)


def environment_of(state: StackState) -> dict[str, str]:
    """The environment variables that point the service, and `down`, at this stack."""
    addresses = {VARIABLES[key]: value for key, value in state.settings.items()}
    return {**addresses, STACK_DIR_VARIABLE: str(state.directory)}


def export_lines(variables: Mapping[str, str]) -> list[str]:
    """`export NAME=value` lines a POSIX shell can eval."""
    return [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
