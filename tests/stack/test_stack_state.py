"""What a stack remembers, and what it tells a shell and the service."""

import json
import subprocess
from pathlib import Path

import pytest

from scripts.stack import SERVICES, StackError, load_state
from scripts.stack.errors import UnknownService
from scripts.stack.places import stack_dir, tools_dir
from scripts.stack.processes import ProcessRef
from scripts.stack.recipes import RECIPES
from scripts.stack.state import (
    VARIABLES,
    ServerState,
    StackState,
    environment_of,
    export_lines,
    save_state,
)


def _server(name: str) -> ServerState:
    recipe = RECIPES[name]
    ports = {port: 20_000 + index for index, port in enumerate(recipe.ports)}
    return ServerState(
        name=name,
        process=ProcessRef(pid=4242, started="boot:1"),
        ports=ports,
        url=recipe.url(ports),
        settings=recipe.settings(ports),
        log=Path(f"/nowhere/{name}.log"),
    )


@pytest.fixture
def stack(tmp_path: Path) -> StackState:
    """A stack that is up, of three servers."""
    return StackState(
        directory=tmp_path, up=True, servers={name: _server(name) for name in SERVICES}
    )


def test_a_saved_stack_is_read_back_as_it_was(stack: StackState) -> None:
    save_state(stack)
    assert load_state(stack.directory) == stack


def test_a_folder_without_a_stack_reads_as_none(tmp_path: Path) -> None:
    assert load_state(tmp_path) is None


def test_saving_leaves_only_the_state_file(stack: StackState) -> None:
    save_state(stack)
    save_state(stack)
    assert [path.name for path in stack.directory.iterdir()] == ["state.json"]


def test_a_broken_state_file_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"directory": 7}')
    with pytest.raises(StackError, match="delete the file"):
        load_state(tmp_path)


def test_the_settings_of_the_service_stand_at_the_top_of_the_file(stack: StackState) -> None:
    save_state(stack)
    written = json.loads((stack.directory / "state.json").read_text())
    assert written["settings"] == {
        "kafka.bootstrap_servers": "127.0.0.1:20000",
        "database.redis_url": "redis://127.0.0.1:20000/0",
        "database.weaviate_url": "http://127.0.0.1:20000",
        "database.weaviate_grpc_url": "127.0.0.1:20001",
    }


def test_a_stack_that_was_taken_down_gives_no_settings(stack: StackState) -> None:
    assert stack.model_copy(update={"up": False}).settings == {}


def test_every_setting_has_its_environment_variable(stack: StackState) -> None:
    assert set(VARIABLES) == set(stack.settings)


def test_a_shell_can_eval_the_lines(stack: StackState) -> None:
    awkward = stack.model_copy(update={"directory": Path("/tmp/it's a folder")})
    script = "\n".join([*export_lines(environment_of(awkward)), "env"])
    seen = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    assert "VECTORIZE_STACK_DIR=/tmp/it's a folder" in seen.stdout.splitlines()
    assert "VECTORIZE_MASTER_KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:20000" in seen.stdout.splitlines()


def test_redis_that_is_off_is_exported_as_empty(stack: StackState) -> None:
    off = RECIPES["redis"].settings_when_off
    without = stack.with_server(stack.server("redis").model_copy(update={"settings": off}))
    assert "export VECTORIZE_MASTER_REDIS_URL=''" in export_lines(environment_of(without))


def test_an_unknown_server_is_an_error_that_names_the_known_ones(stack: StackState) -> None:
    with pytest.raises(UnknownService, match="kafka, redis, weaviate"):
        stack.server("mysql")


def test_the_shell_names_its_stack_and_the_checkout_is_the_default(tmp_path: Path) -> None:
    assert stack_dir({"VECTORIZE_STACK_DIR": str(tmp_path)}) == tmp_path.resolve()
    assert stack_dir({}).name == ".stack"
    assert (stack_dir({}).parent / "scripts" / "stack").is_dir()


def test_the_tools_live_in_the_users_cache() -> None:
    assert tools_dir({"XDG_CACHE_HOME": "/cache"}) == Path("/cache/vectorize/tools")
    assert tools_dir({}) == Path.home() / ".cache" / "vectorize" / "tools"
