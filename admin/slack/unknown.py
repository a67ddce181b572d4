"""What is not drawn here is shown as it was given, so that nothing is missed."""

import json

from markupsafe import Markup

from admin.slack.markup import run, said, tag

SHOWN = 2_000  # characters of its JSON


def unknown(part: object) -> Markup:
    """Return a labelled box with a block's or element's JSON, shortened after SHOWN characters."""
    kind = said(part.get("type")) if isinstance(part, dict) else ""
    written = json.dumps(part, ensure_ascii=False, indent=1, default=str)
    if len(written) > SHOWN:
        written = f"{written[:SHOWN]}…"
    label = f"Not drawn here: {kind or 'a part without a type'}"
    return tag("details", tag("summary", label), run("json", written), class_="unknown", open=True)
