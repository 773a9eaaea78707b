"""Everything that leaves the log: the vector store (Weaviate) and the cache (Redis)."""
