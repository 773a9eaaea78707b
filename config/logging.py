"""One stream of log lines: Faust's, the libraries' and ours, in one shape, on stderr.

stderr, because the commands of Faust's CLI and ours print what was asked for on stdout, and a
pipe behind them (`faust -A faust_app config | grep ...`) must not read log lines.
"""

import logging
import sys
from collections.abc import Sized

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from config.model import Settings

NOISY_LOGGERS = ("aiokafka", "httpcore", "httpx", "weaviate")
"""Libraries that say at INFO what nobody asked; silenced to WARNING unless we log DEBUG."""

LEVELLED_LOGGERS = (
    *("agents", "config", "documents", "embedding", "faust_app", "roles", "scripts", "src"),
    *("stores", "streams", "web", "faust", "mode"),
)
"""Ours and Faust's: they carry the level themselves, because Faust sets the root to DEBUG.

Without `--loglevel` Faust's spinner takes over (`faust.worker.Worker._setup_spinner_handler`): it
sets the root to DEBUG and the root's first handler to WARNING. So our handler is the second one,
and has a level of its own.
"""

MAX_VALUE_CHARS = 500
MAX_MESSAGE_CHARS = 8_000  # Faust prints its tables of partitions as one message
MAX_VALUE_ITEMS = 20


def logging_config(settings: Settings) -> dict[str, object]:
    """A dictConfig for Faust's `logging_config=`; each call gives a new one (Faust changes it)."""
    level = settings.service.log_level.value
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [structlog.stdlib.ExtraAdder(), *_shared_processors()],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *_renderers(console=_is_console(settings)),
                ],
            }
        },
        "handlers": {
            "for_the_spinner": {"class": "logging.NullHandler"},
            "stderr": {
                "level": level,
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stderr",
                "formatter": "line",
            },
        },
        "loggers": {
            **{name: {"level": level} for name in LEVELLED_LOGGERS},
            **{name: {"level": _library_level(settings)} for name in NOISY_LOGGERS},
        },
        "root": {"level": level, "handlers": ["for_the_spinner", "stderr"]},
    }


def configure_structlog() -> None:
    """Send structlog's loggers through the standard library's; levels are `logging_config`'s."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared_processors(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def withhold_payloads(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
    """The last guard against a text or a vector in the log: sizes instead of large values."""
    del logger, name
    return {
        key: value if key.startswith("_") or key == "exc_info" else _sized(key, value)
        for key, value in event.items()
    }


def _sized(key: str, value: object) -> object:
    """A value if it is small, else its size."""
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, str):
        limit = MAX_MESSAGE_CHARS if key in {"event", "stack"} else MAX_VALUE_CHARS
        return value if len(value) <= limit else f"{value[:limit]}… <{len(value)} chars>"
    if isinstance(value, Sized) and len(value) > MAX_VALUE_ITEMS:
        return f"<{len(value)} items>"
    return value


def _shared_processors() -> list[Processor]:
    """What happens to every line, whoever wrote it."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        withhold_payloads,
    ]


def _renderers(*, console: bool) -> list[Processor]:
    """The last steps: colours for a person, one JSON object a line for a machine.

    Tracebacks stay plain in both: structlog's rich ones print local variables, payloads included.
    """
    if console:
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _is_console(settings: Settings) -> bool:
    """Whether lines are for a person: chosen, or stderr is a terminal."""
    if settings.service.log_format == "auto":
        return sys.stderr.isatty()
    return settings.service.log_format == "console"


def _library_level(settings: Settings) -> str:
    """The level of noisy libraries: ours if it is DEBUG or above WARNING, else WARNING."""
    ours = settings.service.log_level.value
    numbers = logging.getLevelNamesMapping()
    if numbers[ours] <= logging.DEBUG:
        return ours
    return max(ours, "WARNING", key=numbers.__getitem__)
