"""A layer: what one source of settings gives, by path, each value with its exact origin."""

from collections.abc import Mapping
from dataclasses import dataclass, field

ROLE_PATH = "role"


@dataclass(frozen=True)
class Given:
    """One value as a source gave it, and where exactly."""

    value: object
    origin: str


@dataclass(frozen=True)
class Layer:
    """What one source gives: values by path (`section.field`, or `role`)."""

    given: Mapping[str, Given] = field(default_factory=dict)

    def nested(self) -> dict[str, object]:
        """The values as the settings model nests them."""
        tree: dict[str, object] = {}
        sections: dict[str, dict[str, object]] = {}
        for path, given in self.given.items():
            section, _, name = path.rpartition(".")
            target = sections.setdefault(section, {}) if section else tree
            target[name] = given.value
        return tree | sections


def effective(layers: tuple[Layer, ...]) -> dict[str, Given]:
    """For each path that is given at all, the value of the first layer that gives it."""
    merged: dict[str, Given] = {}
    for layer in reversed(layers):
        merged |= layer.given
    return merged
