"""Datasets: rows made of what was approved, split, checked, counted and kept for good."""
