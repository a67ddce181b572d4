"""Small line drawings, as SVG in the page: nothing is fetched for them."""

from markupsafe import Markup

ICONS = {
    "thumb-up": "M3.5 9h3v8h-3zM6.5 9l3.6-6.2c1.5 0 2.2 1 1.9 2.4L11.3 8h4.4c1 0 1.6.9 1.3"
    " 1.8l-1.9 5.8c-.3.9-1 1.4-1.9 1.4H6.5",
    "eye": "M1.8 10S4.8 4.6 10 4.6 18.2 10 18.2 10s-3 5.4-8.2 5.4S1.8 10 1.8 10zM10 7.4a2.6 2.6 0"
    " 1 1 0 5.2 2.6 2.6 0 0 1 0-5.2z",
    "down": "M5.5 8l4.5 4.5L14.5 8",
    "close": "M5 5l10 10M15 5L5 15",
    "more": "M4.5 10h.01M10 10h.01M15.5 10h.01",
    "trash": "M3.5 5.5h13M8 5.5V3.5h4v2M5 5.5l.8 11h8.4l.8-11M8.3 8.5v5M11.7 8.5v5",
    "calendar": "M3.5 5h13v11.5h-13zM3.5 8.5h13M7 3v3.5M13 3v3.5",
    "clock": "M10 3a7 7 0 1 1 0 14 7 7 0 0 1 0-14zM10 6v4.3l2.8 1.7",
    "check": "M4.5 10.5l3.7 3.7 7.3-8",
    "ring": "M10 3.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13z",
    "half": "M10 3.5a6.5 6.5 0 1 1-6.5 6.5",
    "done": "M10 3a7 7 0 1 1 0 14 7 7 0 0 1 0-14zM6.8 10.3l2.2 2.2 4.3-4.8",
    "warning": "M10 3.2l7.3 13H2.7zM10 8v4M10 14.2v.01",
    "info": "M10 3a7 7 0 1 1 0 14 7 7 0 0 1 0-14zM10 9.3v4.2M10 6.6v.01",
    "error": "M10 3a7 7 0 1 1 0 14 7 7 0 0 1 0-14zM10 6.5v4.3M10 13.3v.01",
    "picture": "M3 4h14v12H3zM3 13.5l4-4 3.5 3.5 2.5-2.5 4 4M12.8 7.4v.01",
    "file": "M5 2.8h6.5L15 6.3v10.9H5zM11.5 2.8v3.5H15M7.5 10h5M7.5 13h5",
    "copy": "M7 7h9.5v9.5H7zM4 13H3.5V3.5H13V4",
    "reload": "M15.8 8A6.2 6.2 0 1 0 16 11.5M16 4v4h-4",
    "tick-box": "M3 3h14v14H3z",
}
"""Lines in a square of 20."""
OTHER = "ring"


def icon(name: str) -> Markup:
    """Return a drawing by its name; a ring where there is none of that name."""
    return Markup(
        '<svg class="icon icon-{}" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">'
        '<path d="{}"/></svg>'
    ).format(name if name in ICONS else "other", ICONS.get(name, ICONS[OTHER]))


def bar(colour: str) -> Markup:
    """Return the coloured bar beside an attachment; `colour` has been checked to be one."""
    return Markup(
        '<svg class="bar" aria-hidden="true">'
        '<rect width="4" height="100%" rx="2" fill="{}"/></svg>'
    ).format(colour)
