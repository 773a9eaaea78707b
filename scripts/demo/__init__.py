"""The demo: the docstrings of Python's standard library, vectorized and searched."""
