"""Principals on the command line."""

from collections.abc import Sequence

import click

from store.access import PRINCIPALS, is_principal


def check_audience(audience: Sequence[str]) -> None:
    """Raise a usage error for a principal of no known kind."""
    for principal in audience:
        if not is_principal(principal):
            raise click.BadParameter(f"{principal!r}: write {PRINCIPALS}.")
