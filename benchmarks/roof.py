"""How much a model must compute: operations a token, from its shape. Pure but for reading it."""

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """The sizes of a BERT-like model, named as in its `config.json`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    num_hidden_layers: int
    hidden_size: int
    intermediate_size: int

    @property
    def weights(self) -> int:
        """Weights that take part in matrix products (PERFORMANCE.md, 2.1)."""
        wide = 4 * self.hidden_size**2 + 2 * self.hidden_size * self.intermediate_size
        return self.num_hidden_layers * wide

    def flop(self, tokens: int) -> float:
        """Floating-point operations for one text of so many tokens."""
        attention = 4 * self.num_hidden_layers * tokens * self.hidden_size
        return float(tokens * (2 * self.weights + attention))


def shape_of(folder: Path) -> Shape:
    """Read the shape of the model in `folder`."""
    return Shape.model_validate(json.loads((folder / "config.json").read_bytes()))


def gflop(shape: Shape, lengths: Iterable[int]) -> float:
    """10⁹ operations for texts of these lengths, padding not counted."""
    return sum(shape.flop(length) for length in lengths) / 1e9
