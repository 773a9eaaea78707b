"""Reading the service's own log while it grows: JSON lines among whatever else was printed."""

import json
from pathlib import Path

from scripts.supervisor.record import Addresses

Event = dict[str, object]


class LogTail:
    """Reads a log from its beginning, each line once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_bytes = 0

    def fresh_events(self) -> list[Event]:
        """The events of the whole lines that were written since the last call."""
        return [event for line in self._fresh_lines() if (event := event_of(line)) is not None]

    def _fresh_lines(self) -> list[bytes]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._read_bytes)
                *lines, _unfinished = file.read().split(b"\n")
        except FileNotFoundError:
            return []
        self._read_bytes += sum(len(line) + 1 for line in lines)
        return lines


def event_of(line: bytes) -> Event | None:
    """A line as an event; None for a line of another kind."""
    if not line.startswith(b"{"):
        return None
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def addresses_of(event: Event) -> Addresses | None:
    """Where the service answers, if this is the event that says so."""
    if event.get("event") != "serving" or not isinstance(event.get("url"), str):
        return None
    metrics_url = event.get("metrics_url")
    return Addresses(url=str(event["url"]), metrics_url=str(metrics_url) if metrics_url else None)
