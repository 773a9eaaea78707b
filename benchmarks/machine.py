"""Where a figure was taken: the machine, the versions, the commit."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

from scripts.stack import tools

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGES = (
    "faust-streaming",
    "aiokafka",
    "aiohttp",
    "rocksdict",
    "redis",
    "weaviate-client",
    "sentence-transformers",
    "torch",
)
#: Processor features that decide how fast a model may run (PERFORMANCE.md, traps).
TELLING_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8")


class Machine(BaseModel):
    """What the figures depend on."""

    model_config = ConfigDict(frozen=True)

    processor: str
    cores: int
    flags: list[str]
    memory_gb: float
    free_memory_gb: float
    load_1min: float
    system: str
    python: str
    versions: dict[str, str]


def this_machine() -> Machine:
    """Describe this machine as it is now."""
    memory = psutil.virtual_memory()
    name, flags = _processor()
    return Machine(
        processor=name,
        cores=len(os.sched_getaffinity(0)),
        flags=[flag for flag in TELLING_FLAGS if flag in flags],
        memory_gb=round(memory.total / 1e9, 1),
        free_memory_gb=round(memory.available / 1e9, 1),
        load_1min=round(os.getloadavg()[0], 2),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        versions={name: _version(name) for name in PACKAGES}
        | {"kafka": tools.KAFKA_VERSION, "weaviate": tools.WEAVIATE_VERSION},
    )


def _version(package: str) -> str:
    """The installed version; the part `gpu` needs torch and not the servers' clients."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> tuple[str, frozenset[str]]:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    facts = {key.strip(): value.strip() for key, _, value in (x.partition(":") for x in lines)}
    return facts.get("model name", platform.processor()), frozenset(facts.get("flags", "").split())


def commit() -> str:
    """The commit of the checkout, `+` behind it where files differ; `unknown` outside git."""
    head = _git("rev-parse", "--short", "HEAD")
    return head + ("+" if head and _git("status", "--porcelain") else "") or "unknown"


def _git(*words: str) -> str:
    try:
        said = subprocess.run(
            ["git", "-C", str(CHECKOUT), *words], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return said.stdout.strip()
