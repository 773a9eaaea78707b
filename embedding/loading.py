"""From a catalog's entry to a loaded encoder: the one place that knows every backend."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from embedding.catalog import ModelEntry
from embedding.encoder import Encoder
from embedding.hashing_encoder import HashingEncoder
from embedding.parity import BackendRefused

log = structlog.get_logger(__name__)

CPU = "cpu"
CUDA = "cuda"
#: More streams than this are left to more processes: one event loop feeds them.
MOST_STREAMS = 8
#: Where Linux shows that a GPU's driver is loaded; the last one is that of WSL.
DEVICE_FILES = ("nvidia[0-9]*", "dxg")


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How models are loaded in this process."""

    cache_dir: Path
    """Where converted models are kept; several processes may share it."""
    device: str = "auto"
    """Where models run: `cpu`, `cuda`, `cuda:1`; `auto`: on every GPU, else on the CPU."""
    threads: int | None = None
    """Threads of one forward pass on the CPU; None: the backend decides."""
    convert_timeout_s: float = 600.0
    """A conversion that takes longer is given up; the next backend serves."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend and the device it is to run on."""

    backend: str
    device: str


def load_encoder(entry: ModelEntry, options: LoadOptions) -> Encoder:
    """Load `entry` once, on one device. Blocking. Raises like `load_encoders`."""
    return _load_on_one_device(entry, options)[0]


def load_encoders(entry: ModelEntry, options: LoadOptions) -> Sequence[Encoder]:
    """Load `entry` on each device that `options.device` means, for all who may run at once there.

    The first backend in line serves that gives the model's own vectors; a refused one costs a
    warning. Blocking. Raises BadWeights where the files are not the catalog's, BackendRefused
    where no backend is left.
    """
    each = (replace(options, device=device) for device in devices_for(options.device))
    return [encoder for one in each for encoder in _load_on_one_device(entry, one)]


def _load_on_one_device(entry: ModelEntry, options: LoadOptions) -> Sequence[Encoder]:
    *others, last = backends_in_line(entry.backend, device_for(options.device))
    for choice in others:
        try:
            return _load(entry, choice, options)
        except (BackendRefused, ImportError, OSError, RuntimeError, ValueError) as error:
            log.warning(
                "backend_refused",
                model=entry.name,
                backend=choice.backend,
                device=choice.device,
                reason=" ".join(str(error).split()),
            )
    return _load(entry, last, options)


def most_encoders(options: LoadOptions) -> int:
    """How many encoders a model may have here: so many threads run models."""
    return max(len(devices_for(options.device)), streams_of(options.threads))


def streams_of(threads: int | None) -> int:
    """How many calls of a model run at once on so many CPU threads (None: all of this process).

    A short call on one core wastes less than on several that wait for each other: on two cores,
    calls of 256 tokens, two streams did 1.28 times the work of one, and their calls took 17 ms.
    """
    return max(1, min(threads or len(os.sched_getaffinity(0)), MOST_STREAMS))


def devices_for(wanted: str) -> list[str]:
    """The devices that models run on, each with a thread of its own; at least one.

    torch is loaded only where there is a GPU.
    """
    if wanted != "auto" or device_for(wanted) == CPU:
        return [device_for(wanted)]
    from embedding.torch_encoder import cuda_devices  # noqa: PLC0415  (imports torch)

    return cuda_devices() or [CPU]


def device_for(wanted: str, *, devices: Path = Path("/dev")) -> str:
    """What `auto` means here; found without torch."""
    if wanted != "auto":
        return wanted
    return CUDA if any(any(devices.glob(name)) for name in DEVICE_FILES) else CPU


def backends_in_line(wanted: str, device: str) -> list[Choice]:
    """What to try, best first: a refused choice leaves its place to the next."""
    on_cpu = [Choice("openvino", CPU), Choice("torch", CPU)]
    match wanted:
        case "hashing":
            return [Choice("hashing", CPU)]
        case "torch":
            return [Choice("torch", device)]
        case "auto" if device != CPU:
            return [Choice("torch", device), *on_cpu]
        case _:
            return on_cpu


def _load(entry: ModelEntry, choice: Choice, options: LoadOptions) -> Sequence[Encoder]:
    """Load with one backend; each imports what it needs only now."""
    if choice.backend == "hashing":
        return [HashingEncoder(entry)]
    if choice.backend == "torch":
        from embedding.torch_encoder import load_torch  # noqa: PLC0415  (seconds, 400 MB)

        return [load_torch(entry, device=choice.device, threads=options.threads)]
    if entry.reads_images:
        raise BackendRefused("OpenVINO runs models of texts alone; this one reads images too")
    from embedding.openvino_encoder import load_openvino  # noqa: PLC0415  (likewise)

    return load_openvino(
        entry,
        cache_dir=options.cache_dir,
        threads=options.threads,
        streams=streams_of(options.threads),
        timeout_s=options.convert_timeout_s,
    )
