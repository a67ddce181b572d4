"""Answering: route, retrieve, answer, verify, style, finish."""
