"""Tables and every SQL statement; what leaves this package are frozen dataclasses."""
