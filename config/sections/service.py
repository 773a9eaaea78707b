"""Settings of the process itself: its addresses, its logs, the limits of its HTTP door."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, SecretStr

from config.sections.values import SECTION, HttpUrl, OptionalValue, Word


class LogLevel(StrEnum):
    """How much is logged: each level includes the ones after it."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


def _level_name(value: object) -> object:
    """A level's name without regard to case; `WARN` is `WARNING`."""
    if not isinstance(value, str):
        return value
    name = value.strip().upper()
    return "WARNING" if name == "WARN" else name


class ServiceSettings(BaseModel):
    """The process itself."""

    model_config = SECTION

    host: str = Field(
        "0.0.0.0",  # noqa: S104  (the guide's own default)
        min_length=1,
        description="Address on which the HTTP API listens.",
    )
    port: int = Field(8000, ge=1, le=65535, description="Port of the HTTP API.")
    advertised_url: Annotated[HttpUrl | None, OptionalValue] = Field(
        None,
        description="URL under which other masters reach this one; unset: http://localhost and "
        "the port really bound, which serves masters on one machine only.",
    )
    log_level: Annotated[LogLevel, BeforeValidator(_level_name)] = Field(
        LogLevel.INFO, description="Least level that is logged."
    )
    log_format: Annotated[Literal["auto", "json", "console"], Word] = Field(
        "auto", description="Shape of log lines; auto: console on a terminal, else JSON."
    )
    api_key: Annotated[SecretStr | None, OptionalValue] = Field(
        None, description="Key that guards every endpoint but health; unset: no key is asked for."
    )
    max_body_bytes: int = Field(
        8_388_608, ge=1024, le=67_108_864, description="Largest HTTP body accepted, in bytes."
    )
    max_in_flight_bytes: int = Field(
        268_435_456,
        ge=8_388_608,
        description="Bytes that the bodies of all requests under way may take together; "
        "above it the answer is 429.",
    )
    max_queue_tasks: int = Field(
        100_000,
        ge=1,
        le=100_000_000,
        description="Tasks that wait or are worked on, at about which new ones are answered 503.",
    )
    max_queue_age_s: float = Field(
        0.0,
        ge=0,
        le=31_536_000,
        description="Age of the oldest pending task at which new ones are answered 503; 0: any.",
    )
    data_dir: str = Field(
        ".run/data",
        min_length=1,
        description="Folder of the tables on disk, one subfolder a process; "
        "relative to the checkout.",
    )
    shutdown_timeout_s: float = Field(
        25.0, gt=0, le=600, description="Longest time work in flight may take to finish at a stop."
    )
    loop_timeout_s: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="An event loop that stands still for so long ends the process; "
        "its supervisor starts a new one.",
    )
    standing_timeout_s: float = Field(
        180.0,
        gt=0,
        le=86_400,
        description="A process that gets no nearer to its place in the group for so long, "
        "though Kafka answers, ends.",
    )
    body_timeout_s: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="How long the body of a request may take to arrive; of an upload, each piece.",
    )
    max_wait_s: float = Field(
        60.0, ge=0, le=600, description="Longest `?wait=` that a caller may ask for."
    )
    read_timeout_s: float = Field(
        1.5, gt=0, le=60, description="How long a read waits for the task's owner before 503."
    )
    verdict_timeout_s: float = Field(
        5.0,
        gt=0,
        le=60,
        description="How long a submit with a key, or a cancel, waits for its verdict.",
    )
    worker_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port for health and metrics of the embed and store roles; 0: a free one.",
    )
