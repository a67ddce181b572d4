"""The pages of an installation: every word of others is escaped, and nothing is loaded."""

import pytest

from bot.install_pages import HEADERS, STYLE, failed_page, install_page, installed_page, reason

HOSTILE = "\"><script>alert(1)</script>&'"


@pytest.mark.parametrize(
    "page",
    [
        install_page(f"https://slack.com/oauth?state={HOSTILE}"),
        installed_page(HOSTILE, HOSTILE, HOSTILE),
        failed_page(HOSTILE, HOSTILE),
    ],
    ids=["install", "installed", "failed"],
)
def test_no_word_becomes_markup(page: str) -> None:
    """What others wrote is shown as words, and the style is the only thing that is let in."""
    assert "<script" not in page
    assert "alert(1)" in page
    assert page.count("<style>") == 1
    assert f"<style>{STYLE}</style>" in page
    assert "default-src 'none'" in HEADERS["Content-Security-Policy"]


def test_a_page_says_what_is_next() -> None:
    """Each leads on: to Slack, into Slack, or to another try."""
    assert 'href="https://slack.com/x"' in install_page("https://slack.com/x")
    assert "app=A1&amp;team=T1" in installed_page("Acme", "A1", "T1")
    assert "href" not in installed_page("Acme", None, None)
    assert 'href="/slack/install"' in failed_page(reason("invalid_state"), "/slack/install")
    assert reason("anything_else").startswith("Slack refused it")
