"""Slack's mrkdwn and Markdown as HTML."""

import pytest

from admin.slack.known import Known
from admin.slack.mrkdwn import markdown, mrkdwn

KNOWN = Known(names={"U1": "Mara", "C1": "help"})
LINK = 'rel="noreferrer noopener" target="_blank"'


def inline(text: str) -> str:
    """Return a line of mrkdwn without the element around it."""
    return str(mrkdwn(text, KNOWN)).removeprefix('<span class="lines">').removesuffix("</span>")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*bold* _italic_ ~gone~", "<strong>bold</strong> <em>italic</em> <s>gone</s>"),
        ("*_both_*", "<strong><em>both</em></strong>"),
        ("2*3*4 snake_case_name a~b~c", "2*3*4 snake_case_name a~b~c"),
        ("* not bold *", "* not bold *"),
        ("`*code* &lt;b&gt;`", "<code>*code* &lt;b&gt;</code>"),
        ("&lt;!channel&gt; &amp;amp;", "&lt;!channel&gt; &amp;amp;"),
        ("<@U1>", '<span class="mention">@Mara</span>'),
        ("<@U9|old.name>", '<span class="mention">@old.name</span>'),
        ("<#C1>", '<span class="mention">#help</span>'),
        ("<!here>", '<span class="mention everybody">@here</span>'),
        ("<!subteam^S1|@leads>", '<span class="mention">@leads</span>'),
        ("<!date^0^{date}|1 Jan>", "1 Jan"),
        ("<!strange>", "&lt;!strange&gt;"),
        ("<https://e.com?a&amp;b|here>", f'<a href="https://e.com?a&amp;b" {LINK}>here</a>'),
        ("<https://e.com>", f'<a href="https://e.com" {LINK}>https://e.com</a>'),
        ("see https://e.com/a.", f'see <a href="https://e.com/a" {LINK}>https://e.com/a</a>.'),
        ("<mailto:a@e.com|write>", '<span class="link">write</span>'),
        (
            "<javascript:alert(1)|here>",
            '<span class="refused" title="not a link: javascript:alert(1)">here</span>',
        ),
        ("<b>", "&lt;b&gt;"),
    ],
)  # fmt: skip
def test_mrkdwn_reads_as_in_slack(text: str, html: str) -> None:
    """Styles, mentions, links and escapes mean what they mean to Slack, and nothing else does."""
    assert inline(text) == html


def test_quotes_and_code_stand_apart() -> None:
    """Quoted lines are one quote, fenced lines keep their form, the rest are lines."""
    assert str(mrkdwn("before\n&gt; a\n&gt; *b*\nafter\n```\nx  <y>\n```\nend", KNOWN)) == (
        '<span class="lines">before</span><blockquote>a\n<strong>b</strong></blockquote>'
        '<span class="lines">after</span><pre>x  &lt;y&gt;</pre><span class="lines">end</span>'
    )


def test_verbatim_makes_no_links() -> None:
    """An address in a verbatim text is words."""
    assert "<a" not in mrkdwn("https://e.com", KNOWN, linked=False)


def test_long_runs_of_signs_take_no_time() -> None:
    """Text made to slow a reader down is read in time that grows with its length."""
    for text in ("*a" * 20_000, "<" * 20_000, "`" * 20_000, "_" * 20_000, "https://" * 5_000):
        assert mrkdwn(text, KNOWN)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**b** *i* ~~s~~ `c`", "<p><strong>b</strong> <em>i</em> <s>s</s> <code>c</code></p>"),
        ("[here](https://e.com)", f'<p><a href="https://e.com" {LINK}>here</a></p>'),
        ("[here](/ask)", '<p><a class="refused">here</a></p>'),
        ("![a cat](https://e.com/c.png)", "<p>[picture: a cat]</p>"),
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
    ],
)
def test_markdown_is_markdown_without_html(text: str, html: str) -> None:
    """The markdown block is Markdown; HTML in it is text, pictures are their words."""
    assert str(markdown(text)) == f'<div class="markdown">{html}\n</div>'


def test_a_table_of_markdown_has_no_styles_of_its_own() -> None:
    """Alignment is a class, since pages allow no style attributes."""
    drawn = markdown("| a | b |\n|---|--:|\n| 1 | 2 |")
    assert '<td class="to-right">2</td>' in drawn
    assert "style=" not in drawn
