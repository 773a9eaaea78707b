"""The child process that tries a converted model: `python -m embedding.tried FOLDER PRECISION`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from embedding.conversion import Converted
from embedding.openvino_encoder import try_out


def main(arguments: Sequence[str]) -> int:
    """Compile the model in a folder and run it on the texts that backends are judged by."""
    folder, precision = arguments
    try_out(Converted(Path(folder)), precision)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
