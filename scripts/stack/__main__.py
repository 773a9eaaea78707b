"""`python -m scripts.stack`."""

import sys

from scripts.stack.cli import main

if __name__ == "__main__":
    sys.exit(main())
