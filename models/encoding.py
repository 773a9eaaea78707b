"""How texts are to be encoded: the options of a task, resolved against the catalog."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

#: Input types that every model knows: what is stored, and what looks for it.
DOCUMENT: Final = "document"
QUERY: Final = "query"
#: The longest prompt a client may give, in characters.
LONGEST_PROMPT = 2_000

#: What a client may write into a field of this meaning.
Dimensions = Annotated[int, Field(strict=True, ge=1)]
Normalize = Annotated[bool, Field(strict=True)]
InputType = Annotated[str, Field(min_length=1, max_length=64)]
Prompt = Annotated[str, Field(max_length=LONGEST_PROMPT)]


class Truncate(StrEnum):
    """What becomes of a text with more tokens than the model takes."""

    END = "end"
    """Its end is cut off; the item says so."""
    START = "start"
    """Its beginning is cut off; the item says so."""
    ERROR = "error"
    """The item fails, and says how many tokens it has."""


class Encoding(StrEnum):
    """How a result shows vectors unless its reader asks otherwise."""

    FLOAT = "float"
    BASE64 = "base64"


class EncodeOptions(BaseModel):
    """How one unit's texts become vectors. Travels in units, so a worker decides nothing.

    `prompt` is the text itself, not its name in the catalog.
    """

    model_config = ConfigDict(frozen=True)

    prompt: str = Field(default="", description="Put before each text.")
    dimensions: int | None = Field(
        default=None, ge=1, description="Leading values kept (Matryoshka); None: all."
    )
    normalize: bool = Field(default=True, description="Whether vectors are scaled to length 1.")
    truncate: Truncate = Truncate.END
