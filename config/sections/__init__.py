"""The seven sections of the settings, one frozen model a file."""

from config.sections.database import DatabaseSettings
from config.sections.document import DocumentSettings
from config.sections.encoder import EncoderSettings
from config.sections.kafka import KafkaSettings
from config.sections.monitoring import MonitoringSettings
from config.sections.service import ServiceSettings
from config.sections.task import TaskSettings

__all__ = [
    "DatabaseSettings",
    "DocumentSettings",
    "EncoderSettings",
    "KafkaSettings",
    "MonitoringSettings",
    "ServiceSettings",
    "TaskSettings",
]
