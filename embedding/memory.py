"""How much memory there is, and how much this process and its GPUs use; never loads torch."""

import sys

import psutil


def available_bytes() -> int:
    """Memory that could be had without swapping."""
    return int(psutil.virtual_memory().available)


def resident_bytes() -> float:
    """Resident memory of this process."""
    return float(psutil.Process().memory_info().rss)


def device_bytes() -> float:
    """Memory that torch holds on all GPUs of this process; 0 where it holds none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0.0
    devices = range(torch.cuda.device_count())
    return float(sum(torch.cuda.memory_reserved(device) for device in devices))
