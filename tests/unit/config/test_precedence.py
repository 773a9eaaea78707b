"""Which source wins, and that each value says where it comes from."""

from pathlib import Path

import pytest

from config.settings import Role, Settings, effective_settings
from tests.unit.config.conftest import Checkout

PORT_YAML = "service:\n  port: 8003\n"


def give_the_port_everywhere(checkout: Checkout) -> None:
    checkout.stack_state({"service.port": 8004})
    checkout.yaml_file(PORT_YAML)
    checkout.env_file("VECTORIZE_MASTER_PORT=8002\n")


def test_without_any_source_everything_is_at_its_default(checkout: Checkout) -> None:
    settings = checkout.load()
    assert settings == Settings()
    assert {row.source for row in effective_settings(settings)} == {"default"}


def test_the_environment_wins_over_all_files(checkout: Checkout) -> None:
    give_the_port_everywhere(checkout)
    settings = checkout.load(VECTORIZE_MASTER_PORT="8001")
    assert settings.service.port == 8001
    assert settings.origin_of("service.port") == "environment VECTORIZE_MASTER_PORT"


def test_the_env_file_wins_over_yaml(checkout: Checkout) -> None:
    give_the_port_everywhere(checkout)
    settings = checkout.load()
    assert settings.service.port == 8002
    assert settings.origin_of("service.port") == ".env VECTORIZE_MASTER_PORT"


def test_yaml_wins_over_the_stack(checkout: Checkout) -> None:
    give_the_port_everywhere(checkout)
    checkout.env_file("")
    settings = checkout.load()
    assert settings.service.port == 8003
    assert settings.origin_of("service.port") == "config/master.yaml"


def test_the_stack_wins_over_defaults(checkout: Checkout) -> None:
    checkout.stack_state(
        {
            "kafka.bootstrap_servers": "127.0.0.1:19092",
            "database.weaviate_grpc_url": "127.0.0.1:50052",
        }
    )
    settings = checkout.load()
    assert settings.kafka.bootstrap_servers == "127.0.0.1:19092"
    assert settings.database.weaviate_grpc_address == ("127.0.0.1", 50052)
    assert settings.origin_of("kafka.bootstrap_servers") == "stack state"


def test_sources_that_set_different_fields_of_a_section_add_up(checkout: Checkout) -> None:
    checkout.stack_state({"kafka.bootstrap_servers": "a:1"})
    checkout.yaml_file("kafka:\n  partitions: 3\n")
    checkout.env_file("VECTORIZE_MASTER_KAFKA_LINGER_MS=7\n")
    kafka = checkout.load(VECTORIZE_MASTER_KAFKA_BATCH_SIZE="9").kafka
    assert (kafka.bootstrap_servers, kafka.partitions) == ("a:1", 3)
    assert (kafka.linger_ms, kafka.batch_size) == (7, 9)


def test_another_stack_folder_may_be_named(checkout: Checkout) -> None:
    folder = checkout.stack_state({"service.port": 8005}, folder="elsewhere")
    assert checkout.load(VECTORIZE_STACK_DIR=str(folder)).service.port == 8005


def test_another_yaml_file_may_be_named_and_is_read_instead(checkout: Checkout) -> None:
    checkout.yaml_file(PORT_YAML)
    path = checkout.yaml_file("service:\n  host: 127.0.0.1\n", "other.yaml")
    settings = checkout.load(VECTORIZE_CONFIG=str(path))
    assert (settings.service.host, settings.service.port) == ("127.0.0.1", 8000)
    assert settings.origin_of("service.host") == str(path)


def test_a_relative_yaml_file_counts_from_the_current_folder(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.yaml_file(PORT_YAML, "here/mine.yaml")
    monkeypatch.chdir(tmp_path / "here")
    settings = checkout.load(VECTORIZE_CONFIG="mine.yaml")
    assert settings.origin_of("service.port") == "mine.yaml"


def test_the_env_file_may_name_the_yaml_file_and_the_role(checkout: Checkout) -> None:
    path = checkout.yaml_file(PORT_YAML, "other.yaml")
    checkout.env_file(f"VECTORIZE_CONFIG={path}\nVECTORIZE_ROLE=embed\n")
    settings = checkout.load()
    assert (settings.service.port, settings.role) == (8003, Role.EMBED)


@pytest.mark.parametrize("role", list(Role))
def test_the_role_is_read_from_its_variable(checkout: Checkout, role: Role) -> None:
    settings = checkout.load(VECTORIZE_ROLE=role.value)
    assert settings.role is role
    assert settings.origin_of("role") == "environment VECTORIZE_ROLE"


def test_an_empty_role_is_an_unset_one(checkout: Checkout) -> None:
    assert checkout.load(VECTORIZE_ROLE="").role is Role.ALL


def test_the_process_environment_is_read_when_none_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from config.settings import load_settings

    monkeypatch.setenv("VECTORIZE_MASTER_TASK_MAX_ITEMS", "77")
    assert load_settings(root=tmp_path).task.max_items == 77
