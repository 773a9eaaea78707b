"""The requirements of RELIABILITY.md, one a file: what is broken, and what must hold."""
