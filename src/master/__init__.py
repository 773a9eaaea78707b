"""The master's module entry."""
