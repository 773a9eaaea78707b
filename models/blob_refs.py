"""How a blob is named: by the hash of what it holds, never by a path."""

import hashlib
import re
from dataclasses import dataclass
from typing import Self

_SHA256 = re.compile(r"[0-9a-f]{64}")
_REF = re.compile(r"blob:sha256:([0-9a-f]{64}):(0|[1-9][0-9]{0,14})")


@dataclass(frozen=True, slots=True)
class BlobRef:
    """A blob's SHA-256 in lower-case hex, and its size in bytes."""

    sha256: str
    size: int

    def __post_init__(self) -> None:
        """Raises ValueError: the hash becomes a part of a key and must be nothing else."""
        if not _SHA256.fullmatch(self.sha256) or self.size < 0:
            raise ValueError("a blob is named by 64 lower-case hex digits and a size")

    @classmethod
    def of(cls, content: bytes) -> Self:
        """The reference of `content`."""
        return cls(hashlib.sha256(content).hexdigest(), len(content))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` wrote, and nothing else; raises ValueError."""
        found = _REF.fullmatch(text)
        if found is None:
            raise ValueError("not a blob reference like blob:sha256:<64 hex digits>:<size>")
        return cls(found[1], int(found[2]))

    def __str__(self) -> str:
        return f"blob:sha256:{self.sha256}:{self.size}"
