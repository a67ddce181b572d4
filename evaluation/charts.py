"""Charts as SVG and PNG: Vega-Lite specifications, drawn here and without any request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Spec = dict[str, Any]
Points = Sequence[tuple[float, float]]

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.20.json"  # a name; nothing is fetched
VERSION = "5.20"  # of Vega-Lite, one that vl-convert carries
INK, GRID = "#33312e", "#dedbd4"
COLOURS = ("#1f5fa6", "#c2571a", "#4b8b3b", "#7a4fa3", "#8a6d1d")  # told apart in grey as well
PNG_SCALE = 2.0  # pixels for one point, for screens of today

CONFIG: Spec = {
    "background": "white",
    "font": "Lato, sans-serif",
    "view": {"stroke": None},
    "axis": {"labelColor": INK, "titleColor": INK, "gridColor": GRID, "titleFontWeight": "normal"},
    "legend": {"labelColor": INK, "titleColor": INK, "orient": "top", "title": None},
    "title": {"color": INK, "anchor": "start", "fontSize": 14},
    "range": {"category": list(COLOURS)},
}


@dataclass(frozen=True)
class Bar:
    """A bar with its interval: `name` along the axis, `group` by colour."""

    name: str
    group: str
    value: float
    low: float
    high: float


def line_chart(
    series: Mapping[str, Points], title: str, *, x: str = "step", y: str = "loss"
) -> Spec:
    """Return a chart of lines: (x, y) points by the name of their line."""
    rows = [
        {"series": name, "x": at, "y": value}
        for name, points in series.items()
        for at, value in points
    ]
    return _chart(title, rows) | {
        "width": 560,
        "height": 240,
        "mark": {"type": "line", "point": len(rows) < 60 * max(len(series), 1)},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", "title": x, "axis": {"grid": False}},
            "y": {
                "field": "y",
                "type": "quantitative",
                "title": y,
                "scale": {"zero": False},
            },
            "color": _coloured("series", list(series)),
        },
    }


def bar_chart(
    bars: Sequence[Bar], title: str, *, groups: Sequence[str] = (), unit: str = "percent"
) -> Spec:
    """Return a chart of bars in groups, each with the whisker of its interval.

    `groups` are those of several charts, so that each has its colour in all of them.
    """
    names = list(dict.fromkeys(bar.name for bar in bars))
    groups = list(groups or dict.fromkeys(bar.group for bar in bars))
    shared = {
        "y": {
            "field": "name",
            "type": "nominal",
            "sort": names,
            "title": None,
            "axis": {"labelLimit": 260, "grid": False},
        },
        "yOffset": {"field": "group", "sort": groups},
    }
    extent = {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}}
    return _chart(title, [vars(bar) for bar in bars]) | {
        "width": 460,
        "height": {"step": 14},
        "layer": [
            {
                "mark": {"type": "bar"},
                "encoding": shared
                | {
                    "x": {"field": "value", "type": "quantitative", "title": unit},
                    "color": _coloured("group", groups),
                },
            },
            {"mark": {"type": "rule", "color": INK}, "encoding": shared | extent},
        ],
    }


def draw(spec: Spec, form: Literal["svg", "png"] = "svg") -> bytes:
    """Return a chart's picture. Nothing outside the specification is read."""
    import vl_convert  # noqa: PLC0415 - 50 MB, for who wants a picture

    # No address is allowed, so a specification cannot reach out for data or pictures.
    if form == "png":
        picture: bytes = vl_convert.vegalite_to_png(
            spec, vl_version=VERSION, scale=PNG_SCALE, allowed_base_urls=[]
        )
        return picture
    drawn: str = vl_convert.vegalite_to_svg(spec, vl_version=VERSION, allowed_base_urls=[])
    return drawn.encode()


def _chart(title: str, rows: Sequence[Mapping[str, Any]]) -> Spec:
    return {"$schema": SCHEMA, "title": title, "config": CONFIG, "data": {"values": list(rows)}}


def _coloured(field: str, names: Sequence[str]) -> Spec:
    colours = [COLOURS[number % len(COLOURS)] for number in range(len(names))]
    scale = {"domain": list(names), "range": colours}
    return {"field": field, "type": "nominal", "scale": scale, "legend": {"title": None}}
