"""Weaviate, one node, without vectorizers: the service brings its own vectors."""

from pathlib import Path

from scripts.stack import tools
from scripts.stack.progress import Say
from scripts.stack.readiness import weaviate_answers
from scripts.stack.recipe import Launch, Ports, Recipe, clean_environment

_FIXED = {
    "CLUSTER_HOSTNAME": "stack",
    "CLUSTER_ADVERTISE_ADDR": "127.0.0.1",
    "CLUSTER_BIND_ADDR": "127.0.0.1",
    "RAFT_BOOTSTRAP_EXPECT": "1",
    "RAFT_TIMEOUTS_MULTIPLIER": "1",  # alone, it need not wait long for other voters
    "DISABLE_TELEMETRY": "true",
    # A write that meets no collection must fail: the one Weaviate would make is not multi-tenant.
    "AUTOSCHEMA_ENABLED": "false",
    "GO_PROFILING_DISABLE": "true",
    "PROMETHEUS_MONITORING_ENABLED": "false",
    "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true",
    "DEFAULT_VECTORIZER_MODULE": "none",
    "ENABLE_MODULES": "",
    "API_BASED_MODULES_DISABLED": "true",
    "LIMIT_RESOURCES": "true",
    # A developer's disk is often fuller than a server's: it turns read-only at 90 % otherwise.
    "DISK_USE_WARNING_PERCENTAGE": "97",
    "DISK_USE_READONLY_PERCENTAGE": "99",
    "LOG_LEVEL": "warning",
}
_PORT_VARIABLES = {
    "grpc": "GRPC_PORT",
    "gossip": "CLUSTER_GOSSIP_BIND_PORT",
    "data": "CLUSTER_DATA_BIND_PORT",
    "raft": "RAFT_PORT",
    "raft_rpc": "RAFT_INTERNAL_RPC_PORT",
    "profiling": "GO_PROFILING_PORT",
    "metrics": "PROMETHEUS_MONITORING_PORT",
}


def _prepare(folder: Path, ports: Ports, say: Say) -> Launch:
    env = {variable: str(ports[name]) for name, variable in _PORT_VARIABLES.items()}
    address = ["--host", "127.0.0.1", "--port", str(ports["main"]), "--scheme", "http"]
    return Launch(
        [str(tools.weaviate_server(say)), *address],
        clean_environment(**_FIXED, **env, PERSISTENCE_DATA_PATH=str(folder / "data")),
    )


def _url(ports: Ports) -> str:
    return f"http://127.0.0.1:{ports['main']}"


def _settings(ports: Ports) -> dict[str, str]:
    return {
        "database.weaviate_url": _url(ports),
        "database.weaviate_grpc_url": f"127.0.0.1:{ports['grpc']}",
    }


RECIPE = Recipe(
    ports={"main": 8080, "grpc": 50051}
    | dict.fromkeys(("gossip", "data", "raft", "raft_rpc", "profiling", "metrics")),
    prepare=_prepare,
    answers=lambda ports: weaviate_answers(ports["main"], ports["grpc"]),
    url=_url,
    settings=_settings,
    start_limit_s=90,
    stop_limit_s=20,
)
