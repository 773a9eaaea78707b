"""Start the service under its supervisor: `python scripts/start_master.py`, from any folder.

`--detach` starts it in the background and waits until it is ready, `--stop` ends that one,
`--status` says how it is. Without an option it stays in the foreground.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])  # run as a file: it was scripts/

from scripts.supervisor.cli import main

if __name__ == "__main__":
    sys.exit(main())
