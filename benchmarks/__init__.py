"""What the service does in a second, measured on real servers and beside its ceilings.

`python -m benchmarks` (or `make bench`) brings up a stack and service processes of its own,
measures, prints a table, writes a JSON and ends all it started. `docs/benchmarks.md` is the guide.
"""
