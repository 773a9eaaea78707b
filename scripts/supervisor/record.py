"""What is known of the service in the background: its process, its log, its addresses."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from config.model import CHECKOUT
from scripts.stack.processes import ProcessRef, is_alive

RUN_DIR = CHECKOUT / ".run"


class Addresses(BaseModel):
    """Where the service answers."""

    model_config = ConfigDict(frozen=True)

    url: str
    metrics_url: str | None = None


class ServiceRecord(BaseModel):
    """The service that was started in the background."""

    model_config = ConfigDict(frozen=True)

    process: ProcessRef
    role: str
    log: Path
    stop_limit_s: float
    addresses: Addresses | None = None


def record_file(run_dir: Path) -> Path:
    """Where the record stands."""
    return run_dir / "service.json"


def write_record(run_dir: Path, record: ServiceRecord) -> None:
    """Keep the record, whole or not at all."""
    fresh = record_file(run_dir).with_suffix(".json.new")
    fresh.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
    fresh.replace(record_file(run_dir))


def read_record(run_dir: Path) -> ServiceRecord | None:
    """The record as it stands; None where there is none that can be read."""
    try:
        return ServiceRecord.model_validate_json(record_file(run_dir).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def forget_record(run_dir: Path) -> None:
    """Remove the record."""
    record_file(run_dir).unlink(missing_ok=True)


def running_service(run_dir: Path = RUN_DIR) -> ServiceRecord | None:
    """The record of a service whose process still lives."""
    record = read_record(run_dir)
    return record if record is not None and is_alive(record.process) else None
