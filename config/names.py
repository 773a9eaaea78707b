"""Every setting by name: its place (`section.field`), its variables, what it allows."""

import difflib
from collections.abc import Iterable
from enum import Enum
from functools import cache
from typing import Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from config.sections import (
    DatabaseSettings,
    DocumentSettings,
    EncoderSettings,
    KafkaSettings,
    MonitoringSettings,
    ServiceSettings,
    TaskSettings,
)

PREFIX = "VECTORIZE_MASTER_"
ROLE_VARIABLE = "VECTORIZE_ROLE"
CONFIG_VARIABLE = "VECTORIZE_CONFIG"
STACK_DIR_VARIABLE = "VECTORIZE_STACK_DIR"

SECTIONS: dict[str, type[BaseModel]] = {
    "service": ServiceSettings,
    "kafka": KafkaSettings,
    "database": DatabaseSettings,
    "task": TaskSettings,
    "document": DocumentSettings,
    "encoder": EncoderSettings,
    "monitoring": MonitoringSettings,
}

SHORT_VARIABLES: dict[str, tuple[str, ...]] = {
    "service.host": (f"{PREFIX}HOST",),
    "service.port": (f"{PREFIX}PORT",),
    "service.log_level": (f"{PREFIX}LOG_LEVEL", "LOG_LEVEL"),
    "database.redis_url": (f"{PREFIX}REDIS_URL",),
    "database.weaviate_url": (f"{PREFIX}WEAVIATE_URL",),
}
"""The guide's names; KAFKA_BOOTSTRAP_SERVERS is the long name already."""

_SYMBOLS = ((Ge, "ge", "≥"), (Gt, "gt", ">"), (Le, "le", "≤"))


class Setting:
    """One setting: its path, its variables (the guide's first), and its field."""

    def __init__(self, path: str, field: FieldInfo) -> None:
        """Describe the `field` that stands at `path` (`section.field`)."""
        self.path = path
        self.section, self.name = path.split(".")
        self.field = field
        long_name = f"{PREFIX}{self.section}_{self.name}".upper()
        self.variables: tuple[str, ...] = (*SHORT_VARIABLES.get(path, ()), long_name)
        self.description = field.description or ""

    @property
    def is_secret(self) -> bool:
        """Whether its value is never shown."""
        return SecretStr in _types(self.field.annotation)

    @property
    def choices(self) -> tuple[str, ...]:
        """The words it allows, none where any value of its type will do."""
        annotation = self.field.annotation
        if get_origin(annotation) is Literal:
            return tuple(str(choice) for choice in get_args(annotation))
        if isinstance(annotation, type) and issubclass(annotation, Enum):
            return tuple(str(member.value) for member in annotation)
        return ()

    @property
    def allowed(self) -> str:
        """Its words or bounds in a few signs, empty where its type says all."""
        if self.choices:
            return ", ".join(self.choices)
        return ", ".join(
            f"{symbol} {getattr(bound, key)}"
            for kind, key, symbol in _SYMBOLS
            for bound in self.field.metadata
            if isinstance(bound, kind)
        )


def _types(annotation: object) -> tuple[object, ...]:
    """The members of a union, or the one type itself."""
    return get_args(annotation) or (annotation,)


@cache
def all_settings() -> dict[str, Setting]:
    """Every setting by its path, in the order of the sections."""
    return {
        f"{section}.{name}": Setting(f"{section}.{name}", field)
        for section, model in SECTIONS.items()
        for name, field in model.model_fields.items()
    }


@cache
def settings_by_variable() -> dict[str, Setting]:
    """Every setting under each of its variables."""
    return {name: setting for setting in all_settings().values() for name in setting.variables}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The `known` name that is most like `name`, if any is like it."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def nearest_variable(name: str) -> str | None:
    """The variable most like `name`; neither case nor the prefix that all share counts."""
    known = {variable.removeprefix(PREFIX): variable for variable in settings_by_variable()}
    known["ROLE"] = ROLE_VARIABLE
    found = nearest(name.upper().removeprefix(PREFIX), known)
    return known[found] if found else None


def nearest_path(name: str) -> str | None:
    """The setting most like `name`, which may be a bare field name or have a wrong section."""
    bare = name.rpartition(".")[2]
    same_field = [path for path in all_settings() if path.endswith(f".{bare}")]
    if same_field:
        return nearest(name, same_field) or same_field[0]
    by_bare_name = {setting.name: path for path, setting in all_settings().items()}
    return nearest(name, all_settings()) or by_bare_name.get(nearest(bare, by_bare_name) or "")
