"""One module a page: its addresses, and what it reads."""
