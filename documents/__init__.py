"""Parsers and chunking of documents: compute without transport. Comes with document tasks."""
