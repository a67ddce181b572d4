"""Charts are drawn on this machine, from what is given and nothing else."""

import pytest

from evaluation.charts import Bar, bar_chart, draw, line_chart

BARS = [Bar("answers", "rag", 54.1, 52.0, 56.1), Bar("answers", "hybrid", 55.0, 51.2, 58.8)]
LOSSES = {"train": [(1.0, 2.5), (2.0, 1.9)], "eval": [(2.0, 2.1)]}


def test_bars_are_drawn_with_their_names() -> None:
    """The picture is SVG and says what its bars and colours stand for."""
    drawn = draw(bar_chart(BARS, "Answers <of> each")).decode()

    assert drawn.startswith("<svg")
    for words in ("Answers &lt;of&gt; each", "rag", "hybrid", "percent"):
        assert words in drawn


def test_a_group_has_one_colour_in_several_charts() -> None:
    """Also where the first of them has no bar."""
    both = bar_chart(BARS, "A", groups=["rag", "hybrid"])
    one = bar_chart(BARS[1:], "B", groups=["rag", "hybrid"])

    colours = [chart["layer"][0]["encoding"]["color"]["scale"] for chart in (both, one)]
    assert colours[0] == colours[1]


def test_losses_are_drawn_as_lines() -> None:
    """A run's losses become a line each, also as a PNG."""
    spec = line_chart(LOSSES, "Loss")

    assert b"eval" in draw(spec)
    assert draw(spec, "png").startswith(b"\x89PNG")


def test_no_address_is_asked_for() -> None:
    """A specification that reaches for data elsewhere is refused."""
    spec = line_chart(LOSSES, "Loss") | {"data": {"url": "http://127.0.0.1:9/rows.json"}}

    with pytest.raises(ValueError, match="allowed"):
        draw(spec)
