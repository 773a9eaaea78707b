"""OpenVINO, without what it tells its makers over the network. The one place that imports it."""

import sys
from functools import cache

# At its import OpenVINO sends a usage event where this package can be imported.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: not importable

import openvino  # noqa: E402  (only after the line above)

__all__ = ["core", "openvino"]


@cache
def core() -> openvino.Core:
    """The one Core of this process, never let go of.

    Its CPU plugin gives a signal stack to the thread that uses it first, and frees that stack with
    the last Core (2026.4.1): the next signal to that thread would then end the process.
    """
    return openvino.Core()
