"""Faust's lines and ours are one stream, in the chosen shape and level, without payloads."""

import json
import logging
import logging.config
from collections.abc import Iterator

import pytest
import structlog

from config.logging import LEVELLED_LOGGERS, NOISY_LOGGERS, configure_structlog, logging_config
from config.settings import LogLevel, ServiceSettings, Settings


def settings_with(**service: object) -> Settings:
    return Settings(service=ServiceSettings.model_validate(service))


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    for name in (*NOISY_LOGGERS, *LEVELLED_LOGGERS):
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def start(**service: object) -> None:
    logging.config.dictConfig(logging_config(settings_with(**service)))
    configure_structlog()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    captured = capsys.readouterr()
    assert not captured.out
    return [json.loads(line) for line in captured.err.splitlines()]


def test_lines_of_faust_and_of_ours_have_one_shape_on_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start(log_format="json")
    logging.getLogger("faust.worker").info("Starting %s", "now")
    structlog.get_logger("agents.embed").info("unit_embedded", task="t1", unit="t1/0")
    faust, ours = lines(capsys)
    assert faust.keys() == {"event", "level", "logger", "timestamp"}
    assert (faust["event"], faust["logger"]) == ("Starting now", "faust.worker")
    assert (ours["event"], ours["task"], ours["unit"]) == ("unit_embedded", "t1", "t1/0")
    assert (ours["logger"], ours["level"]) == ("agents.embed", "info")


def test_bound_ids_stand_on_the_lines_of_libraries_too(capsys: pytest.CaptureFixture[str]) -> None:
    start(log_format="json")
    structlog.contextvars.bind_contextvars(task="t1")
    logging.getLogger("mode.service").warning("slow")
    assert lines(capsys)[0]["task"] == "t1"


def test_auto_is_json_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    start()
    structlog.get_logger().info("hello")
    assert lines(capsys)[0]["event"] == "hello"


def test_console_lines_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    start(log_format="console")
    structlog.get_logger("x").info("hello", task="t1")
    printed = capsys.readouterr().err
    assert "hello" in printed
    assert not printed.startswith("{")


def test_lines_below_the_level_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    start(log_format="json", log_level="ERROR")
    structlog.get_logger("a").warning("no")
    logging.getLogger("faust").warning("no")
    structlog.get_logger("b").error("yes")
    assert [line["event"] for line in lines(capsys)] == ["yes"]


@pytest.mark.parametrize(
    "level,of_libraries",
    [("DEBUG", "DEBUG"), ("INFO", "WARNING"), ("WARNING", "WARNING"), ("ERROR", "ERROR")],
)
def test_noisy_libraries_speak_at_warning_unless_we_debug(level: str, of_libraries: str) -> None:
    loggers = logging_config(settings_with(log_level=LogLevel(level)))["loggers"]
    assert isinstance(loggers, dict)
    assert loggers["aiokafka"] == loggers["httpx"] == {"level": of_libraries}


def test_large_values_are_replaced_by_their_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    start(log_format="json")
    structlog.get_logger().info("x", raw=b"123", text="a" * 501, vector=[0.1] * 384, items=[1, 2])
    line = lines(capsys)[0]
    assert (line["raw"], line["vector"], line["items"]) == ("<3 bytes>", "<384 items>", [1, 2])
    assert line["text"] == "a" * 500 + "… <501 chars>"


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_shows_no_local_variables(
    capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    start(log_format=log_format)
    text_of_a_client = "a text of a client".upper()
    try:
        _ = text_of_a_client, 1 / 0
    except ZeroDivisionError:
        structlog.get_logger().exception("failed")
        logging.getLogger("faust").exception("failed")
    printed = capsys.readouterr().err
    assert printed.count("ZeroDivisionError") >= 2
    assert "A TEXT" not in printed


def test_the_spinner_of_faust_changes_no_level(capsys: pytest.CaptureFixture[str]) -> None:
    start(log_format="json")
    logging.root.handlers[0].setLevel(logging.WARNING)  # what faust.worker.Worker does
    logging.root.setLevel(logging.DEBUG)
    for name in ("faust.worker", "agents.embed"):
        logging.getLogger(name).debug("no")
        logging.getLogger(name).info("yes")
    logging.getLogger("some.library").debug("no")
    structlog.get_logger("agents.embed").debug("no")
    assert [line["event"] for line in lines(capsys)] == ["yes", "yes"]


def test_faust_may_change_the_config_it_was_given() -> None:
    settings = Settings()
    logging_config(settings).clear()
    assert logging_config(settings)["version"] == 1


def test_any_text_can_be_logged(capsys: pytest.CaptureFixture[str]) -> None:
    start(log_format="json")
    structlog.get_logger().info("x", text="向量\ud800\n", number=2**70, other=object)
    assert lines(capsys)[0]["text"] == "向量\ud800\n"
