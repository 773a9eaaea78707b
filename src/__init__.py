"""Holds the module entry `python -m src.master.main` that the user's guide names."""
