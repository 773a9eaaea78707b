"""The settings as one frozen value: the role and the seven sections."""

from enum import StrEnum
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from config.sections import (
    DatabaseSettings,
    DocumentSettings,
    EncoderSettings,
    KafkaSettings,
    MonitoringSettings,
    ServiceSettings,
    TaskSettings,
)

CHECKOUT = Path(__file__).resolve().parents[1]


class Role(StrEnum):
    """Which stages a process runs."""

    ALL = "all"
    MASTER = "master"
    EXTRACT = "extract"
    EMBED = "embed"
    STORE = "store"


class Settings(BaseSettings):
    """Every setting; built bare, it holds the defaults and reads nothing."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    role: Role = Field(
        Role.ALL, description="Which stages this process runs; all: every one, in one process."
    )
    service: ServiceSettings = Field(default_factory=ServiceSettings)
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    task: TaskSettings = Field(default_factory=TaskSettings)
    document: DocumentSettings = Field(default_factory=DocumentSettings)
    encoder: EncoderSettings = Field(default_factory=EncoderSettings)
    monitoring: MonitoringSettings = Field(default_factory=MonitoringSettings)
    origins: dict[str, str] = Field(
        default_factory=dict,
        exclude=True,
        repr=False,
        description="The source of each setting that is not at its default, by path.",
    )

    @classmethod
    def settings_customise_sources(  # noqa: PLR0917  (pydantic-settings calls it so)
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments only: `load_settings` brings the sources, so that each value has an origin."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @property
    def models_path(self) -> Path:
        """The catalog of models; a relative name counts from the checkout."""
        return CHECKOUT / self.task.models_file

    @property
    def data_path(self) -> Path:
        """The folder of the tables; a relative name counts from the checkout."""
        return CHECKOUT / self.service.data_dir

    @property
    def converted_path(self) -> Path:
        """The folder of converted models; a relative name counts from the checkout."""
        return CHECKOUT / Path(self.encoder.cache_dir).expanduser()

    def value_of(self, path: str) -> object:
        """The value at a path (`section.field`, or `role`)."""
        value: object = self
        for name in path.split("."):
            value = getattr(value, name)
        return value

    def origin_of(self, path: str) -> str:
        """Where the value at a path comes from, `default` if from nowhere."""
        return self.origins.get(path, "default")
