"""OpenVINO, without what it tells its makers over the network. The one place that imports it."""

import sys

# At its import OpenVINO sends a usage event where this package can be imported.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: not importable

import openvino  # noqa: E402  (only after the line above)

__all__ = ["openvino"]
