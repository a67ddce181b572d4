"""The terminal: one file a command group; `python3 run.py <command>` or `footnote <command>`."""
