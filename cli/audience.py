"""Principals on the command line."""

from collections.abc import Sequence

import click


def check_audience(audience: Sequence[str]) -> None:
    """Raise a usage error for a principal of no known kind."""
    for principal in audience:
        kind, colon, name = principal.partition(":")
        known = principal in {"everyone", "external"} or (
            kind in {"channel", "group"} and colon and name
        )
        if not known:
            raise click.BadParameter(
                f"{principal!r}: write everyone, external, channel:<id> or group:<id>."
            )
