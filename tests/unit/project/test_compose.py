"""docker-compose.yml and the Dockerfile, as far as they can be checked without an engine."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from config.names import ROLE_VARIABLE, settings_by_variable
from config.settings import load_settings
from scripts.stack.tools import KAFKA_VERSION, WEAVIATE_VERSION

ROLES = {"master", "extract", "embed", "store"}
SERVERS = {"kafka", "redis", "weaviate"}
PINNED = re.compile(r"^[a-z0-9./-]+:\d+\.\d+\.\d+[a-z0-9.-]*$")
HEALTH_PORT = re.compile(r"http://127\.0\.0\.1:(\d+)/livez")


@pytest.fixture(scope="module")
def compose(root: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((root / "docker-compose.yml").read_text())
    return loaded


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    return found


def _brought_up_with(services: dict[str, Any], name: str) -> set[str]:
    needed = services[name].get("depends_on", {})
    return {name}.union(*(_brought_up_with(services, other) for other in needed))


def test_it_follows_the_compose_specification(compose: dict[str, Any]) -> None:
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text())
    jsonschema.Draft7Validator(schema).validate(compose)


def test_the_services_have_the_names_of_the_guide(services: dict[str, Any]) -> None:
    assert set(services) == ROLES | SERVERS


def test_the_servers_start_alone(services: dict[str, Any]) -> None:
    assert {name: _brought_up_with(services, name) for name in SERVERS} == {
        name: {name} for name in SERVERS
    }


def test_the_master_brings_its_workers_and_servers_with_it(services: dict[str, Any]) -> None:
    assert _brought_up_with(services, "master") == ROLES | SERVERS


def test_roles_wait_until_their_servers_are_healthy(services: dict[str, Any]) -> None:
    waits = [services[role]["depends_on"][server] for role in ROLES for server in SERVERS
             if server in services[role]["depends_on"]]  # fmt: skip
    assert waits
    assert all(wait == {"condition": "service_healthy"} for wait in waits)


@pytest.mark.parametrize("name", sorted(ROLES | SERVERS))
def test_a_service_is_pinned_watched_restarted_and_stopped_gently(
    services: dict[str, Any], name: str
) -> None:
    service = services[name]
    assert PINNED.match(service["image"])
    assert service["restart"] == "unless-stopped"
    assert service["stop_grace_period"] == "30s"
    assert {"test", "interval", "timeout", "start_period", "retries"} <= set(service["healthcheck"])
    assert service["cap_drop"] == ["ALL"]
    assert not service.get("privileged", False)


@pytest.mark.parametrize("name", sorted(ROLES))
def test_every_setting_it_gives_is_known(services: dict[str, Any], name: str) -> None:
    known = {*settings_by_variable(), ROLE_VARIABLE}
    assert set(services[name]["environment"]) - known == set()


@pytest.mark.parametrize("name", sorted(ROLES))
def test_the_settings_it_gives_load(services: dict[str, Any], name: str, tmp_path: Path) -> None:
    settings = load_settings(services[name]["environment"], root=tmp_path)
    assert settings.role.value == name
    assert str(settings.service.data_dir) == "/data"


@pytest.mark.parametrize("name", sorted(ROLES))
def test_a_role_is_asked_for_its_health_where_it_answers(
    services: dict[str, Any], name: str, tmp_path: Path
) -> None:
    settings = load_settings(services[name]["environment"], root=tmp_path)
    answers = settings.service.port if name == "master" else settings.service.worker_port
    asked = HEALTH_PORT.findall(" ".join(services[name]["healthcheck"]["test"]))
    assert asked == [str(answers)]


def test_it_runs_the_versions_that_the_local_stack_runs(services: dict[str, Any]) -> None:
    assert services["kafka"]["image"].endswith(f":{KAFKA_VERSION}")
    assert services["weaviate"]["image"].endswith(f":{WEAVIATE_VERSION}")


def test_servers_without_a_password_are_open_to_this_machine_only(
    services: dict[str, Any],
) -> None:
    ports = [port for name in SERVERS for port in services[name]["ports"]]
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_the_image_runs_as_a_plain_user_from_a_pinned_base(root: Path) -> None:
    dockerfile = (root / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    assert len(set(bases)) == 1
    assert PINNED.match(bases[0])
    assert re.findall(r"^USER (\S+)", dockerfile, re.MULTILINE) == ["10001:10001"]
    assert "STOPSIGNAL SIGTERM" in dockerfile


def test_the_image_gets_every_package_and_nothing_else(
    root: Path, pyproject: dict[str, Any]
) -> None:
    lines = (root / ".dockerignore").read_text().splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    packages = {*pyproject["tool"]["importlinter"]["root_packages"], "src", "scripts"}
    documents = {"pyproject.toml", "uv.lock", "README.md", "LICENSE"}
    assert lines[1] == "*"
    assert kept == packages | documents | {"faust_app.py"}
