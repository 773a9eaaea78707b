"""The process: which roles run in it, where it listens, and what ends it."""

from functools import partial

from prometheus_client import REGISTRY

from config import options
from config.model import Role, Settings
from roles.embed import embed_app
from roles.extract import extract_app
from roles.master import master_app
from roles.parts import CLOCK, shared_parts
from roles.store import store_app
from streams.app import StageApp, WebOptions
from streams.freed_memory import give_back, glibc_trim
from streams.listening import choose_port, reachable_host
from streams.serving import MetricsDoor, tell_where
from streams.watchdog import Standstill, Watchdog, Wedged, broken_check, standing_check
from web.assembly import server_options, worker_routes

#: The roles that work for a master, in the order of the data's way.
WORKERS = {Role.EXTRACT: extract_app, Role.EMBED: embed_app, Role.STORE: store_app}


def build(settings: Settings) -> StageApp:
    """Build the app of the role; in `all`, the workers' apps run beside the master's."""
    parts = shared_parts(settings)
    if settings.role in WORKERS:
        web = listen_on(settings, settings.service.worker_port, "service.worker_port")
        app, readiness = WORKERS[settings.role](parts, web)
        app.http.add_routes(worker_routes(readiness))
    else:
        web = listen_on(settings, settings.service.port, "service.port")
        app, readiness = master_app(parts, web)
        if settings.role is Role.ALL:
            for role, make in WORKERS.items():
                companion, its_readiness = make(parts, None)
                app.companions.append(companion)
                readiness.share(its_readiness, role)
    app.before_stop.insert(0, readiness.drain)
    watch_over(settings, app)
    if (trim := glibc_trim()) is not None:
        app.background("freed memory", partial(give_back, trim))
    tell_where(app, settings.role, web.listening, metrics_door(settings))
    return app


def watch_over(settings: Settings, app: StageApp) -> None:
    """End the process when it is wedged."""
    limit_s = settings.service.standing_timeout_s
    checks: list[Wedged] = []
    for each in (app, *app.companions):
        still = Standstill(limit_s, CLOCK)
        checks += [
            *each.wedges,
            standing_check(each.progress, each.reader.broker_answers, still),
            broken_check(each.deliveries),
        ]
    watchdog = Watchdog(checks, loop_limit_s=settings.service.loop_timeout_s)
    app.background("watchdog", watchdog.run)


def listen_on(settings: Settings, wanted: int, setting: str) -> WebOptions:
    """Choose the HTTP port; a refusal is told when the app starts, not when it is only built."""
    service = settings.service
    chosen = choose_port(
        service.host,
        wanted,
        purpose="HTTP",
        setting=setting,
        on_purpose=wanted != 0 and settings.origin_of(setting) != "default",
    )
    url = service.advertised_url or f"http://{reachable_host(service.host)}:{chosen.port}"
    application = server_options(
        api_key=options.api_key(settings), limits=options.web_limits(settings), registry=REGISTRY
    )
    return WebOptions(service.host, chosen, str(url).rstrip("/"), application)


def metrics_door(settings: Settings) -> MetricsDoor:
    """Where Prometheus text is served; workers take any free port unless one is set."""
    monitoring = settings.monitoring
    on_purpose = settings.origin_of("monitoring.prometheus_port") != "default"
    wanted = 0 if settings.role in WORKERS and not on_purpose else monitoring.prometheus_port
    return MetricsDoor(settings.service.host, wanted, on_purpose, monitoring.prometheus_enabled)
