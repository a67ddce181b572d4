"""Splitting text and filling messages without breaking Slack's limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks import (
    BLOCKS_LIMIT,
    actions,
    button,
    cut,
    divider,
    escape,
    grouped,
    lines,
    messages,
    size,
    split,
    text,
)

FAMILY = "\U0001f469\u200d\U0001f467\u200d\U0001f466"  # one person sees, five code points


@given(st.text(alphabet="ab. \n\u0301\u200d👩", max_size=80), st.integers(4, 30))
def test_pieces_fit_and_only_white_space_is_lost(words: str, limit: int) -> None:
    """Every piece is within the limit, and together they say the same in the same order."""
    pieces = split(words, limit)

    assert all(0 < len(piece) <= limit for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(words.split())


@pytest.mark.parametrize(
    ("words", "limit", "pieces"),
    [
        pytest.param("", 5, [], id="nothing"),
        pytest.param(" short ", 9, [" short "], id="fits as it is"),
        pytest.param("one two\nthree four", 15, ["one two", "three four"], id="line end"),
        pytest.param("It is. So it was", 10, ["It is.", "So it was"], id="sentence end"),
        pytest.param("aaa bbb ccc", 9, ["aaa bbb", "ccc"], id="space"),
        pytest.param("abcdefgh", 5, ["abcde", "fgh"], id="no space at all"),
        pytest.param("abcde\u0301f", 5, ["abcd", "e\u0301f"], id="accent"),
        pytest.param("abc" + FAMILY, 6, ["abc", FAMILY], id="emoji of several characters"),
    ],
)
def test_text_is_cut_where_reading_suffers_least(
    words: str, limit: int, pieces: list[str]
) -> None:
    """Lines first, then sentences, then words; characters that belong together stay so."""
    assert split(words, limit) == pieces


def test_groups_keep_order_weight_and_number() -> None:
    """A group ends before it gets too heavy or too long; what is too heavy alone stands alone."""
    groups = list(grouped([1, 2, 3, 9, 1, 1, 1], lambda n: n, limit=5, most=2))

    assert groups == [[1, 2], [3], [9], [1, 1], [1]]


def test_no_message_has_more_blocks_than_slack_takes() -> None:
    """Many small blocks are spread over messages by number."""
    filled = messages([divider()] * 120)

    assert [len(blocks) for blocks in filled] == [BLOCKS_LIMIT, BLOCKS_LIMIT, 30]
    assert BLOCKS_LIMIT <= 50


def test_escaped_text_cannot_mention_or_link() -> None:
    """What Slack would read as markup in the fallback text is spelled out."""
    assert escape("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"


def test_a_tail_stands_whole_at_the_end() -> None:
    """There is room left for it, and it is on the last message only."""
    tail = [divider(), {"type": "actions", "elements": []}]
    filled = messages([divider()] * 44, tail)

    assert [len(blocks) for blocks in filled] == [43, 3]
    assert filled[-1][-2:] == tail
    assert messages([], tail) == [tail]


def test_lines_share_blocks() -> None:
    """Each item is a line of its own, many of them to a block, each block within its limit."""
    blocks = lines([[text(f"{n} "), text("x" * 200, bold=True)] for n in range(40)])
    sections = [section for block in blocks for section in block["elements"]]

    assert len(blocks) < len(sections) == 40
    assert [section["elements"][0]["text"] for section in sections] == [f"{n} " for n in range(40)]
    assert all(size(block) < 3_200 for block in blocks)


@given(st.text(max_size=100).filter(str.strip))
def test_what_is_cut_fits_on_one_line(words: str) -> None:
    """And says that something is left out."""
    shown = cut(words, 20)

    assert 0 < len(shown) <= 20
    assert "\n" not in shown
    assert shown.endswith("…") or shown == " ".join(words.split())


def test_buttons_come_in_rows() -> None:
    """No more to a row than Slack takes, each label short enough, and no row without any."""
    rows = actions([button("x" * 80, f"choice:{n}", "v") for n in range(30)])

    assert [len(row["elements"]) for row in rows] == [25, 5]
    assert len(rows[0]["elements"][0]["text"]["text"]) == 75
    assert actions([]) == []
