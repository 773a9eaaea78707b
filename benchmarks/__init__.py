"""Benchmarks: every figure the project states, measured on the real stack, as ratios in one run."""
