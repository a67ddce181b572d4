"""Serving local models, in a process of its own: the one place that loads torch to answer."""
