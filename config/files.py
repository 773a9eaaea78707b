"""Settings given in files: the YAML file of sections, and the state file of the local stack."""

import json
from pathlib import Path

import yaml

from config.errors import UnknownSetting, UnreadableSource
from config.layers import Given, Layer
from config.names import SECTIONS, all_settings, nearest, nearest_path

STACK_SOURCE = "stack state"


class _Loader(yaml.SafeLoader):
    """YAML without tags, in which a key may stand only once in a mapping."""


def _unique_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[object, object]:
    """A mapping; raises ConstructorError at a key that stood there before."""
    mapping: dict[object, object] = {}
    for key_node, value_node in node.value:
        key = str(loader.construct_object(key_node, deep=True))
        if key in mapping:
            raise yaml.constructor.ConstructorError(
                None, None, f"{key} is set twice", key_node.start_mark
            )
        mapping[key] = loader.construct_object(value_node, deep=True)
    return mapping


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def yaml_layer(path: Path, source: str) -> Layer:
    """The settings of a YAML file of sections.

    Raises UnreadableSource if it is no such file, UnknownSetting for a key that no setting has.
    """
    sections = _mapping(_read_yaml(path, source), source, "the file")
    given: dict[str, Given] = {}
    for section, content in sections.items():
        if section not in SECTIONS:
            raise UnknownSetting(section, source, _nearest_key(section))
        for name, value in _mapping(content, source, section).items():
            given[_known(f"{section}.{name}", source)] = Given(value, source)
    return Layer(given)


def stack_layer(path: Path) -> Layer:
    """The settings that the local stack left in its state file; none if there is no file.

    Raises UnreadableSource if it is no such file, UnknownSetting for a name no setting has.
    """
    if not path.is_file():
        return Layer()
    source = f"{STACK_SOURCE} {path}"
    try:
        state = _mapping(json.loads(_text(path, source)), source, "the file")
    except json.JSONDecodeError as error:
        raise UnreadableSource(source, f"not JSON: {error}") from error
    values = _mapping(state.get("settings"), source, "settings")
    return Layer(
        {_known(name, source): Given(value, STACK_SOURCE) for name, value in values.items()}
    )


def _text(path: Path, source: str) -> str:
    """A file's text; raises UnreadableSource."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UnreadableSource(source, f"there is no file {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableSource(source, str(error)) from error


def _read_yaml(path: Path, source: str) -> object:
    """A YAML file's content; raises UnreadableSource with the line that is wrong."""
    try:
        content: object = yaml.load(_text(path, source), _Loader)  # noqa: S506  (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise UnreadableSource(source, f"line {line}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise UnreadableSource(source, str(error)) from error
    return content


def _mapping(content: object, source: str, what: str) -> dict[str, object]:
    """A mapping as it is, nothing as an empty one; raises UnreadableSource for all else."""
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UnreadableSource(source, f"{what} must hold names and values")
    return {str(name): value for name, value in content.items()}


def _known(path: str, source: str) -> str:
    """The path of an existing setting; raises UnknownSetting."""
    if path not in all_settings():
        raise UnknownSetting(path, source, nearest_path(path))
    return path


def _nearest_key(key: str) -> str | None:
    """What a key at the top of the YAML file was meant to be: a section, or a setting in one."""
    return nearest(key, SECTIONS) or nearest_path(key)
