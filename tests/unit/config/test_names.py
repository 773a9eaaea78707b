"""The guide's variables, the long variables, and names that no setting has."""

import pytest

from config.errors import ConflictingSetting, UnknownSetting, UnreadableSource
from config.names import all_settings, settings_by_variable
from config.settings import SettingsError
from tests.unit.config.conftest import Checkout

GUIDE = {
    "VECTORIZE_MASTER_HOST": ("service.host", "127.0.0.1", "127.0.0.1"),
    "VECTORIZE_MASTER_PORT": ("service.port", "81", 81),
    "VECTORIZE_MASTER_KAFKA_BOOTSTRAP_SERVERS": ("kafka.bootstrap_servers", "a:1, b:2", "a:1,b:2"),
    "VECTORIZE_MASTER_REDIS_URL": ("database.redis_url", "", ""),
    "VECTORIZE_MASTER_WEAVIATE_URL": ("database.weaviate_url", "https://w/", "https://w"),
    "VECTORIZE_MASTER_LOG_LEVEL": ("service.log_level", "warn", "WARNING"),
    "LOG_LEVEL": ("service.log_level", "debug", "DEBUG"),
}


@pytest.mark.parametrize("variable", GUIDE)
def test_each_variable_of_the_guide_sets_its_field(checkout: Checkout, variable: str) -> None:
    path, given, expected = GUIDE[variable]
    settings = checkout.load(**{variable: given})
    assert settings.value_of(path) == expected
    assert settings.origin_of(path) == f"environment {variable}"


@pytest.mark.parametrize("variable", GUIDE)
def test_each_variable_of_the_guide_works_in_the_env_file(
    checkout: Checkout, variable: str
) -> None:
    path, given, expected = GUIDE[variable]
    checkout.env_file(f"{variable}={given}\n")
    assert checkout.load().value_of(path) == expected


def test_every_setting_has_its_long_variable() -> None:
    for path, setting in all_settings().items():
        assert f"VECTORIZE_MASTER_{path.replace('.', '_').upper()}" in setting.variables


def test_no_variable_stands_for_two_settings() -> None:
    spelled = [name for setting in all_settings().values() for name in setting.variables]
    assert len(spelled) == len(set(spelled)) == len(settings_by_variable())


def test_the_redis_pool_has_the_promised_variable(checkout: Checkout) -> None:
    settings = checkout.load(VECTORIZE_MASTER_DATABASE_REDIS_MAX_CONNECTIONS="5")
    assert settings.database.redis_max_connections == 5


@pytest.mark.parametrize(
    "name,meant",
    [
        ("VECTORIZE_MASTER_PROT", "VECTORIZE_MASTER_PORT"),
        ("VECTORIZE_MASTER_KAFKA_BOOTSTRAP_SERVER", "VECTORIZE_MASTER_KAFKA_BOOTSTRAP_SERVERS"),
        ("VECTORIZE_MASTER_TASK_MAX_ITEM", "VECTORIZE_MASTER_TASK_MAX_ITEMS"),
        ("VECTORIZE_MASTER_ROLE", "VECTORIZE_ROLE"),
        ("vectorize_master_port", "VECTORIZE_MASTER_PORT"),
    ],
)
def test_an_unknown_variable_stops_the_start_and_names_the_nearest(
    checkout: Checkout, name: str, meant: str
) -> None:
    with pytest.raises(UnknownSetting) as caught:
        checkout.load(**{name: "1"})
    assert str(caught.value) == f"unknown setting {name} in environment: did you mean {meant}?"


def test_an_unknown_variable_in_the_env_file_stops_the_start(checkout: Checkout) -> None:
    checkout.env_file("VECTORIZE_MASTER_HOTS=x\n")
    with pytest.raises(UnknownSetting, match=r"HOTS in \.env: did you mean VECTORIZE_MASTER_HOST"):
        checkout.load()


def test_a_variable_like_no_other_points_to_the_page(checkout: Checkout) -> None:
    with pytest.raises(UnknownSetting, match=r"see docs/settings\.md"):
        checkout.load(VECTORIZE_MASTER_="1")


def test_foreign_variables_are_ignored(checkout: Checkout) -> None:
    checkout.env_file("AWS_REGION=x\n")
    settings = checkout.load(PORT="1", HOST="x", KAFKA="x", SERVICE="{}", VECTORIZE_OTHER="x")
    assert settings.origins == {}


@pytest.mark.parametrize(
    "text,unknown,meant",
    [
        ("service:\n  prot: 1", "service.prot", "service.port"),
        ("kafka:\n  redis_url: x", "kafka.redis_url", "database.redis_url"),
        ("databse:\n  redis_url: x", "databse", "database"),
        ("port: 1", "port", "service.port"),
        ("tasks: {}", "tasks", "task"),
        ("database:\n  redis_conections: 1", "database.redis_conections", "database.redis_"),
    ],
)
def test_an_unknown_yaml_key_stops_the_start_and_names_the_nearest(
    checkout: Checkout, text: str, unknown: str, meant: str
) -> None:
    checkout.yaml_file(text)
    with pytest.raises(UnknownSetting) as caught:
        checkout.load()
    start = f"unknown setting {unknown} in config/master.yaml: did you mean {meant}"
    assert str(caught.value).startswith(start)


def test_one_setting_under_two_variables_with_two_values_stops_the_start(
    checkout: Checkout,
) -> None:
    with pytest.raises(ConflictingSetting) as caught:
        checkout.load(VECTORIZE_MASTER_PORT="1", VECTORIZE_MASTER_SERVICE_PORT="2")
    assert str(caught.value) == (
        "service.port is set twice in environment: VECTORIZE_MASTER_PORT=1 and "
        "VECTORIZE_MASTER_SERVICE_PORT=2; keep one"
    )


def test_one_setting_under_three_variables_with_one_value_is_fine(checkout: Checkout) -> None:
    settings = checkout.load(
        LOG_LEVEL="debug",
        VECTORIZE_MASTER_LOG_LEVEL="DEBUG",
        VECTORIZE_MASTER_SERVICE_LOG_LEVEL="DEBUG",
    )
    assert settings.service.log_level == "DEBUG"


def test_two_values_in_two_sources_are_no_conflict(checkout: Checkout) -> None:
    checkout.env_file("VECTORIZE_MASTER_SERVICE_PORT=2\n")
    assert checkout.load(VECTORIZE_MASTER_PORT="1").service.port == 1


def test_one_variable_twice_in_the_env_file_stops_the_start(checkout: Checkout) -> None:
    checkout.env_file("VECTORIZE_MASTER_PORT=1\nVECTORIZE_MASTER_PORT=2\n")
    with pytest.raises(ConflictingSetting, match=r"set twice in \.env"):
        checkout.load()


def test_one_key_twice_in_yaml_stops_the_start(checkout: Checkout) -> None:
    checkout.yaml_file("service:\n  port: 1\n  port: 2\n")
    with pytest.raises(UnreadableSource, match=r"master\.yaml: line 3: port is set twice"):
        checkout.load()


@pytest.mark.parametrize(
    "text,reason",
    [
        ("service: [1", "line 1"),
        ("- service", "the file must hold names and values"),
        ("service: 8000", "service must hold names and values"),
        ("service:\n\tport: 1", "line 2"),
    ],
)
def test_a_broken_yaml_file_stops_the_start_with_one_line(
    checkout: Checkout, text: str, reason: str
) -> None:
    checkout.yaml_file(text)
    with pytest.raises(UnreadableSource) as caught:
        checkout.load()
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_named_yaml_file_must_exist(checkout: Checkout) -> None:
    with pytest.raises(UnreadableSource, match=r"no file gone\.yaml"):
        checkout.load(VECTORIZE_CONFIG="gone.yaml")


def test_a_broken_env_file_stops_the_start_with_its_line(checkout: Checkout) -> None:
    checkout.env_file("LOG_LEVEL=INFO\n'oops\n")
    with pytest.raises(UnreadableSource, match=r"\.env: line 2"):
        checkout.load()


@pytest.mark.parametrize("text", ["{", "[]", '{"settings": []}'])
def test_a_broken_state_file_stops_the_start_with_one_line(checkout: Checkout, text: str) -> None:
    checkout.stack_state({})
    (checkout.root / ".stack" / "state.json").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"stack state .*state\.json"):
        checkout.load()


def test_a_state_file_with_more_in_it_than_settings_is_fine(checkout: Checkout) -> None:
    checkout.stack_state({})
    (checkout.root / ".stack" / "state.json").write_text('{"services": {}}', encoding="utf-8")
    assert checkout.load().origins == {}
