"""What the pictures of Slack are made of: the bot's own builders, drawn as Slack draws them."""

import pytest
from selectolax.lexbor import LexborHTMLParser

from admin.slack.known import Known
from admin.slack.surfaces import draw
from scripts.slack_case import NAMES
from scripts.slack_samples import SURFACES


@pytest.mark.parametrize("name", SURFACES)
def test_every_sample_is_drawn_whole(name: str) -> None:
    """No block that is unknown or elsewhere at home, no address that is none, no id for a name."""
    page = LexborHTMLParser(str(draw(SURFACES[name](), Known(names=NAMES))))
    assert [box.text() for box in page.css(".unknown, .refused, .misplaced")] == []
    assert page.css(".block") != []
    mentions = [node.text().lstrip("@#") for node in page.css(".mention")]
    assert set(mentions) <= {name.lstrip("@#") for name in NAMES.values()}
