"""Settings of what others see of a process: metrics, heartbeats, watchdog."""

from pydantic import BaseModel, Field

from config.sections.values import SECTION


class MonitoringSettings(BaseModel):
    """Metrics and signs of life."""

    model_config = SECTION

    prometheus_port: int = Field(
        9090,
        ge=0,
        le=65535,
        description="Port of the Prometheus metrics of a master; 0: a free one.",
    )
    prometheus_enabled: bool = Field(
        default=True, description="Whether the Prometheus port is opened at all."
    )
    heartbeat_interval_s: float = Field(
        2.0, gt=0, le=60, description="Time between two heartbeats of a worker."
    )
    worker_timeout_s: float = Field(
        10.0, gt=0, le=600, description="Silence after which a worker no longer counts as active."
    )
