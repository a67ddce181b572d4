"""Curation, datasets and training runs: the place is kept, nothing stands here yet."""
