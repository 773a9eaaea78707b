"""Whether a process is ready, and the one reason a dependency where it is not."""

from collections.abc import Callable, Mapping

from streams.app import StageApp

Check = Callable[[], str | None]


class Readiness:
    """Named checks, asked each time; each gives None or the reason why it is not ready."""

    def __init__(self, app: StageApp) -> None:
        """Begin with what every app needs: its place in the group, and its agents."""
        self._app = app
        self._checks: dict[str, Check] = {}
        self._watch(app)
        self.stopping = False

    async def drain(self) -> None:
        """Be not ready from now on: the process was told to stop."""
        self.stopping = True

    def add(self, name: str, check: Check) -> None:
        """Ask `check` too, under `name`."""
        self._checks[name] = check

    def share(self, companion: "Readiness", prefix: str) -> None:
        """Be ready only when an app in the same process is, too."""
        for name, check in companion._checks.items():  # noqa: SLF001  # the same class
            self.add(f"{prefix}.{name}", check)

    def reasons(self) -> Mapping[str, str | None]:
        """Each dependency with the one reason why it is not ready, or None."""
        if self.stopping:
            return {"process": "draining: this process is shutting down"}
        return {name: check() for name, check in self._checks.items()}

    async def broker_connected(self) -> bool:
        """Tell whether Kafka answers now."""
        return await self._app.reader.broker_answers()

    def _watch(self, app: StageApp) -> None:
        self.add("kafka", lambda: None if app.in_standing() else _why_not(app))
        self.add("agents", lambda: _silent_agents(app))


def _why_not(app: StageApp) -> str:
    if not app.started:
        return "starting: waiting for Kafka"
    return "a rebalance or the recovery of tables is under way"


def _silent_agents(app: StageApp) -> str | None:
    deliveries = {each.stage.name: each for each in app.stage_deliveries.values()}
    ended = [name for name, delivery in deliveries.items() if not delivery.running]
    return f"agents not running: {', '.join(ended)}" if ended else None
