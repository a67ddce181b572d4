"""Measures retrieval and answers through the real graph, on anyone's own questions."""
