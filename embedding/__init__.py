"""Texts to vectors: the catalog of models, the encoder port and its backends, batching by lane."""
