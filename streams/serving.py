"""Where a process listens: ports chosen, checked at the start, and told."""

from dataclasses import dataclass

import structlog
from prometheus_client import start_http_server

from streams.app import StageApp
from streams.listening import Listening, choose_port, reachable_host

log = structlog.get_logger("streams.serving")


@dataclass(frozen=True, slots=True)
class MetricsDoor:
    """Where Prometheus text is served: a thread of its own, so that a busy loop shows there too."""

    host: str
    wanted_port: int
    on_purpose: bool
    enabled: bool = True

    def open(self) -> str | None:
        """Listen, and give the URL; None where it is switched off. Raises PortTaken."""
        if not self.enabled:
            return None
        chosen = choose_port(
            self.host,
            self.wanted_port,
            purpose="Prometheus",
            setting="monitoring.prometheus_port",
            on_purpose=self.on_purpose,
        )
        start_http_server(chosen.checked(), self.host)
        note(chosen)
        return f"http://{reachable_host(self.host)}:{chosen.port}/metrics"


def tell_where(app: StageApp, role: str, listening: Listening, door: MetricsDoor) -> None:
    """Check the HTTP port first of all, open the metrics' one last, and log where both are."""

    async def look_at_port() -> None:
        listening.checked()
        note(listening)

    async def open_metrics() -> None:
        url = f"http://{reachable_host(door.host)}:{listening.port}"
        log.info("serving", role=role, url=url, metrics_url=door.open())

    app.before_start.insert(0, look_at_port)
    app.before_start.append(open_metrics)


def note(chosen: Listening) -> None:
    """Log what a person should know about a port."""
    if chosen.note is not None:
        log.warning("port_taken", detail=chosen.note)
