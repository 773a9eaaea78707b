"""Settings given as variables: the environment's and those of a `.env` file."""

from collections.abc import Iterable
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream

from config.errors import ConflictingSetting, UnknownSetting, UnreadableSource
from config.layers import ROLE_PATH, Given, Layer
from config.masking import shown
from config.names import (
    PREFIX,
    ROLE_VARIABLE,
    Setting,
    all_settings,
    nearest_variable,
    settings_by_variable,
)

Pair = tuple[str, str]
"""A variable's name and value."""


def variables_layer(pairs: Iterable[Pair], source: str) -> Layer:
    """The settings among variables; other programs' variables are passed over.

    Raises UnknownSetting for a `VECTORIZE_MASTER_*` name that no setting has, and
    ConflictingSetting when one setting is given two values.
    """
    chosen: dict[str, Pair] = {}
    for name, value in pairs:
        path = _path_of(name, source)
        if path is not None and (value or path != ROLE_PATH):  # an empty role is an unset one
            _check_same(path, source, chosen.setdefault(path, (name, value)), (name, value))
    return Layer({path: Given(value, f"{source} {name}") for path, (name, value) in chosen.items()})


def _path_of(name: str, source: str) -> str | None:
    """The path that a variable sets, None for a foreign one; raises UnknownSetting."""
    if name == ROLE_VARIABLE:
        return ROLE_PATH
    setting = settings_by_variable().get(name)
    if setting is None and name.upper().startswith(PREFIX):
        raise UnknownSetting(name, source, nearest_variable(name))
    return setting.path if setting else None


def _check_same(path: str, source: str, first: Pair, second: Pair) -> None:
    """Raises ConflictingSetting if two givings of one setting differ."""
    setting = all_settings().get(path)
    if _comparable(first[1], setting) != _comparable(second[1], setting):
        one, other = (f"{name}={shown(value, setting)}" for name, value in (first, second))
        raise ConflictingSetting(path, source, one, other)


def _comparable(value: str, setting: Setting | None) -> str:
    """A value as it counts for a comparison: the case of a choice does not."""
    return value.strip().upper() if setting is not None and setting.choices else value


def read_dotenv(path: Path) -> list[Pair]:
    """The pairs of a `.env` file in their order, none if there is no such file.

    Raises UnreadableSource, with the number of the line, for one that is not `NAME=value`.
    """
    if not path.is_file():
        return []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableSource(path.name, str(error)) from error
    return _parse_dotenv(text, path.name)


def _parse_dotenv(text: str, source: str) -> list[Pair]:
    """The pairs of a `.env` text; raises UnreadableSource."""
    pairs = []
    for binding in parse_stream(StringIO(text)):
        if binding.error:
            raise UnreadableSource(source, f"line {binding.original.line} is not NAME=value")
        if binding.key is not None:
            pairs.append((binding.key, binding.value or ""))
    return pairs
