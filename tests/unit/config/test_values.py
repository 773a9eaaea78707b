"""What settings allow, how a bad value is told, and that no secret is ever shown."""

import traceback

import pytest
from pydantic import SecretStr, ValidationError

from config.errors import BadSetting
from config.names import SECTIONS, all_settings
from config.relations import RELATIONS
from config.settings import Settings, SettingsError, effective_settings, render_settings
from tests.unit.config.conftest import Checkout

SECRET = "s3cr3t-value"
PREFIX = "VECTORIZE_MASTER_"


@pytest.mark.parametrize(
    "variable,value,line",
    [
        (
            "PORT",
            "eighty",
            (
                "service.port = eighty (environment VECTORIZE_MASTER_PORT) is not allowed: it "
                "should be a valid integer, unable to parse string as an integer"
            ),
        ),
        (
            "PORT",
            "70000",
            (
                "service.port = 70000 (environment VECTORIZE_MASTER_PORT) is not allowed: it "
                "should be less than or equal to 65535"
            ),
        ),
        (
            "LOG_LEVEL",
            "verbos",
            (
                "service.log_level = verbos (environment VECTORIZE_MASTER_LOG_LEVEL) is not "
                "allowed: it should be 'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'"
            ),
        ),
        (
            "SERVICE_LOG_FORMAT",
            "jsn",
            (
                "service.log_format = jsn (environment VECTORIZE_MASTER_SERVICE_LOG_FORMAT) is not "
                "allowed: it should be 'auto', 'json' or 'console'; did you mean json?"
            ),
        ),
    ],
)
def test_a_bad_value_is_told_in_one_line(
    checkout: Checkout, variable: str, value: str, line: str
) -> None:
    with pytest.raises(BadSetting) as caught:
        checkout.load(**{PREFIX + variable: value})
    assert str(caught.value) == line


@pytest.mark.parametrize(
    "variable,value",
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "localhost"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:1,,b:2"),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka://a:1"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:99999"),
        ("KAFKA_TOPIC_PREFIX", "a b"),
        ("KAFKA_COMPRESSION", "snappy"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "redis://"),
        ("WEAVIATE_URL", "localhost:8080"),
        ("WEAVIATE_URL", "http://user:key@localhost"),
        ("WEAVIATE_URL", "http://localhost:port"),
        ("WEAVIATE_URL", ""),
        ("HOST", ""),
        ("DATABASE_WEAVIATE_GRPC_URL", "http://localhost:50051"),
        ("TASK_SEARCH_TIMEOUT_S", "nan"),
        ("TASK_MAX_RUN_S", "inf"),
        ("ENCODER_WARM_UP", "maybe"),
        ("PORT", ""),
        ("PORT", "1\n2"),
    ],
)
def test_a_value_that_cannot_work_is_refused_in_one_line(
    checkout: Checkout, variable: str, value: str
) -> None:
    with pytest.raises(BadSetting) as caught:
        checkout.load(**{PREFIX + variable: value})
    assert "\n" not in str(caught.value)
    assert PREFIX + variable in str(caught.value)


@pytest.mark.parametrize(
    "variable,value",
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "[::1]:9092"),
        ("REDIS_URL", "rediss://:pw@r/1"),
        ("REDIS_URL", "unix:///run/redis.sock"),
        ("WEAVIATE_URL", "http://[::1]:8080"),
        ("DATABASE_VECTOR_STORE", "NONE"),
        ("ENCODER_WARM_UP", "off"),
    ],
)
def test_unusual_but_good_values_are_taken(checkout: Checkout, variable: str, value: str) -> None:
    assert len(checkout.load(**{PREFIX + variable: value}).origins) == 1


def test_a_wrong_role_names_the_nearest(checkout: Checkout) -> None:
    with pytest.raises(BadSetting, match=r"role = mastr .*VECTORIZE_ROLE.*did you mean master\?"):
        checkout.load(VECTORIZE_ROLE="mastr")


def test_a_bad_value_in_yaml_names_the_file(checkout: Checkout) -> None:
    checkout.yaml_file("kafka:\n  partitions: many\n")
    with pytest.raises(BadSetting, match=r"kafka\.partitions = many \(config/master\.yaml\)"):
        checkout.load()


def test_retention_of_tasks_must_cover_their_source_records(checkout: Checkout) -> None:
    with pytest.raises(BadSetting) as caught:
        checkout.load(VECTORIZE_MASTER_TASK_RETENTION_HOURS="300")
    assert str(caught.value) == (
        "kafka.task_retention_hours = 168 (default) is not allowed: it must be at least "
        "task.retention_hours = 300 (environment VECTORIZE_MASTER_TASK_RETENTION_HOURS), "
        "a task must not outlive its source record"
    )


def test_relations_name_settings_that_exist() -> None:
    for relation in RELATIONS:
        assert {relation.larger, relation.smaller} <= set(all_settings())


def test_an_empty_optional_value_is_an_unset_one(checkout: Checkout) -> None:
    settings = checkout.load(
        VECTORIZE_MASTER_SERVICE_API_KEY="", VECTORIZE_MASTER_DATABASE_WEAVIATE_GRPC_URL=""
    )
    assert settings.service.api_key is None
    assert settings.database.weaviate_grpc_url is None


def test_the_grpc_address_follows_the_url(checkout: Checkout) -> None:
    settings = checkout.load(VECTORIZE_MASTER_WEAVIATE_URL="https://weaviate.example:443")
    assert settings.database.weaviate_grpc_address == ("weaviate.example", 50051)


def test_settings_cannot_be_changed() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.role = "embed"  # type: ignore[assignment, misc]
    with pytest.raises(ValidationError):
        settings.service.port = 1


def test_every_default_is_allowed_and_its_relations_hold(checkout: Checkout) -> None:
    for model in SECTIONS.values():
        model.model_validate(model().model_dump())
    checkout.load()


def test_every_setting_has_one_line_of_description() -> None:
    for path, setting in all_settings().items():
        assert setting.description.endswith("."), path
        assert "\n" not in setting.description, path


def with_secrets(checkout: Checkout) -> Settings:
    return checkout.load(
        VECTORIZE_MASTER_SERVICE_API_KEY=SECRET,
        VECTORIZE_MASTER_DATABASE_WEAVIATE_API_KEY=SECRET,
        VECTORIZE_MASTER_REDIS_URL=f"redis://user:{SECRET}@host:6379/0?password={SECRET}",
    )


def test_no_rendering_shows_a_secret(checkout: Checkout) -> None:
    settings = with_secrets(checkout)
    renderings = [
        render_settings(settings),
        repr(settings),
        str(settings),
        repr(settings.database),
        repr(effective_settings(settings)),
        repr(settings.origins),
    ]
    assert not [text for text in renderings if SECRET in text]
    assert "redis://user:********@host:6379/0?password=********" in render_settings(settings)


def test_the_code_still_gets_the_secret(checkout: Checkout) -> None:
    settings = with_secrets(checkout)
    assert settings.service.api_key == SecretStr(SECRET)
    assert SECRET in settings.database.redis_url


@pytest.mark.parametrize(
    "environ",
    [
        {"REDIS_URL": f"http://u:{SECRET}@h"},
        {"REDIS_URL": f"redis://:{SECRET}@h:x"},
        {"REDIS_URL": f"redis://:{SECRET}@h", "DATABASE_REDIS_URL": "redis://h"},
        {"SERVICE_API_KEY": SECRET, "PORT": "x"},
        {"WEAVIATE_URL": f"http://u:{SECRET}@h"},
    ],
)
def test_no_error_shows_a_secret_not_even_its_traceback(
    checkout: Checkout, environ: dict[str, str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        checkout.load(**{PREFIX + name: value for name, value in environ.items()})
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_bad_secret_in_yaml_is_masked(checkout: Checkout) -> None:
    checkout.yaml_file("service:\n  api_key: 12345678\n")
    with pytest.raises(BadSetting, match=r"service\.api_key = \*{8} ") as caught:
        checkout.load()
    assert "12345678" not in "".join(traceback.format_exception(caught.value))


def test_a_rendering_shows_value_and_source_of_every_setting(checkout: Checkout) -> None:
    lines = render_settings(checkout.load(VECTORIZE_MASTER_PORT="81")).splitlines()
    assert len(lines) == len(all_settings()) + 1
    port = next(line for line in lines if line.startswith("service.port "))
    assert port.split() == ["service.port", "=", "81", "(environment", "VECTORIZE_MASTER_PORT)"]


def test_a_rendering_of_changes_leaves_defaults_out(checkout: Checkout) -> None:
    assert render_settings(checkout.load(), changed_only=True) == ""
    lines = render_settings(checkout.load(VECTORIZE_ROLE="embed"), changed_only=True).splitlines()
    assert lines == ["role = embed  (environment VECTORIZE_ROLE)"]
