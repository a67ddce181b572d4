"""Training on this machine, in a process of its own: the one place that loads torch to train."""
