"""The settings and their one reader, `load_settings`.

Environment over `.env` over the YAML file over the local stack's state file over defaults.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import InitSettingsSource

from config.errors import BadSetting, SettingsError
from config.files import stack_layer, yaml_layer
from config.layers import ROLE_PATH, Given, Layer, effective
from config.masking import shown
from config.model import CHECKOUT, Role, Settings
from config.names import (
    CONFIG_VARIABLE,
    STACK_DIR_VARIABLE,
    all_settings,
    nearest,
)
from config.relations import check_relations
from config.sections import (
    DatabaseSettings,
    DocumentSettings,
    EncoderSettings,
    KafkaSettings,
    MonitoringSettings,
    ServiceSettings,
    TaskSettings,
)
from config.sections.service import LogLevel
from config.variables import Pair, read_dotenv, variables_layer

__all__ = [
    "CHECKOUT",
    "DatabaseSettings",
    "DocumentSettings",
    "EncoderSettings",
    "KafkaSettings",
    "LogLevel",
    "MonitoringSettings",
    "Role",
    "ServiceSettings",
    "SettingRow",
    "Settings",
    "SettingsError",
    "TaskSettings",
    "effective_settings",
    "load_settings",
    "render_settings",
]

_SUBJECT = re.compile(r"^(Input|String|URL) should")
"""How pydantic begins what it asks for."""

DEFAULT_CONFIG = "config/master.yaml"


@dataclass(frozen=True)
class SettingRow:
    """One setting in force: its path, its value as it may be shown, its source."""

    name: str
    value: str
    source: str
    description: str


def load_settings(environ: Mapping[str, str] | None = None, *, root: Path = CHECKOUT) -> Settings:
    """Read all sources; `root` is the folder of `.env`, `config/master.yaml` and `.stack`.

    Raises SettingsError, one line, for an unknown name, a conflict, a bad value, a bad file.
    """
    layers = _read_layers(os.environ if environ is None else environ, root)
    settings = _build(layers)
    check_relations(settings)
    return settings


def effective_settings(settings: Settings) -> list[SettingRow]:
    """Every setting in force, in the order of the sections, secrets masked."""
    role = SettingRow(
        ROLE_PATH,
        settings.role.value,
        settings.origin_of(ROLE_PATH),
        Settings.model_fields[ROLE_PATH].description or "",
    )
    return [role] + [
        SettingRow(
            path,
            shown(settings.value_of(path), setting),
            settings.origin_of(path),
            setting.description,
        )
        for path, setting in all_settings().items()
    ]


def render_settings(settings: Settings, *, changed_only: bool = False) -> str:
    """The settings in force, one a line with its source; `changed_only` leaves defaults out."""
    rows = [
        row
        for row in effective_settings(settings)
        if not changed_only or row.name in settings.origins
    ]
    names = max((len(row.name) for row in rows), default=0)
    values = max((len(row.value) for row in rows), default=0)
    return "\n".join(f"{row.name:<{names}} = {row.value:<{values}}  ({row.source})" for row in rows)


def _read_layers(environ: Mapping[str, str], root: Path) -> tuple[Layer, ...]:
    """All sources, the strongest first."""
    dotenv = read_dotenv(root / ".env")
    return (
        variables_layer(environ.items(), "environment"),
        variables_layer(dotenv, ".env"),
        _yaml_layer(environ, dotenv, root),
        stack_layer(_stack_dir(environ, root) / "state.json"),
    )


def _yaml_layer(environ: Mapping[str, str], dotenv: list[Pair], root: Path) -> Layer:
    """The YAML file that is named, which must exist, else `config/master.yaml` if it exists."""
    named = environ.get(CONFIG_VARIABLE) or dict(dotenv).get(CONFIG_VARIABLE)
    if named:
        return yaml_layer(Path(named).expanduser(), named)
    default = root / DEFAULT_CONFIG
    return yaml_layer(default, DEFAULT_CONFIG) if default.exists() else Layer()


def _stack_dir(environ: Mapping[str, str], root: Path) -> Path:
    """The folder of the local stack, chosen by the same variable as in `scripts/stack`."""
    named = environ.get(STACK_DIR_VARIABLE)
    return Path(named).expanduser() if named else root / ".stack"


def _build(layers: tuple[Layer, ...]) -> Settings:
    """The settings that the layers give, the first layer strongest; raises BadSetting."""
    given = effective(layers)
    origins = {path: value.origin for path, value in given.items()}
    trees: list[dict[str, object]] = [*(layer.nested() for layer in layers), {"origins": origins}]
    sources = tuple(InitSettingsSource(Settings, tree) for tree in trees)
    try:
        return Settings(_build_sources=(sources, {}))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    # Outside the handler: pydantic's own error may carry the input, and that may be a secret.
    raise _bad_setting(first, given)


def _bad_setting(error: ErrorDetails, given: Mapping[str, Given]) -> BadSetting:
    """One of pydantic's errors as one line of ours."""
    path = ".".join(str(part) for part in error["loc"][:2])
    setting = all_settings().get(path)
    choices = setting.choices if setting else tuple(Role)
    value = given[path]
    allowed = error["msg"].removeprefix("Value error, ")
    allowed = _SUBJECT.sub("it should", allowed) + _did_you_mean(value.value, choices)
    return BadSetting(path, shown(value.value, setting), value.origin, allowed)


def _did_you_mean(value: object, choices: tuple[str, ...]) -> str:
    """A question that names the nearest choice, empty if none is near."""
    by_folded = {choice.casefold(): choice for choice in choices}
    found = nearest(str(value).casefold(), by_folded)
    return f"; did you mean {by_folded[found]}?" if found else ""
