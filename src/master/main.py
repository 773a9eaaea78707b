"""The guide's module entry, `python -m src.master.main`: the same as scripts/start_master.py."""

from scripts.supervisor.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
