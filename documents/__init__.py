"""Parsers and chunking of documents: compute without transport, in processes of its own."""
