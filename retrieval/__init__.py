"""Embedder, hybrid search, ranking and quote verification; shared by all three loops."""
