"""What Slack says of people and channels, read with caution."""

from typing import Any

import pytest

from bot.directory import standing
from bot.people import is_shared


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        pytest.param({"team_id": "T1"}, "member", id="member"),
        pytest.param({"team_id": "T1", "is_restricted": True}, "guest", id="guest"),
        pytest.param({"team_id": "T1", "is_ultra_restricted": True}, "guest", id="one channel"),
        pytest.param({"team_id": "T1", "is_stranger": True}, "foreign", id="stranger"),
        pytest.param({"team_id": "T2"}, "foreign", id="another team"),
        pytest.param({"team_id": "T1", "deleted": True}, "foreign", id="deactivated"),
        pytest.param({}, "foreign", id="nothing known"),
    ],
)
def test_only_a_full_member_of_this_team_counts_as_one(
    user: dict[str, Any], expected: str
) -> None:
    """Anything else reads what is external."""
    assert standing(user, "T1") == expected


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        pytest.param({"id": "C1", "is_shared": False}, False, id="own"),
        pytest.param({"id": "C1", "is_ext_shared": True}, True, id="another organisation"),
        pytest.param({"id": "C1", "is_shared": True}, True, id="another workspace"),
        pytest.param({"id": "C1", "pending_connected_team_ids": ["T2"]}, True, id="invited"),
        pytest.param({}, True, id="nothing known"),
    ],
)
def test_a_channel_counts_as_shared_unless_it_is_known_not_to_be(
    channel: dict[str, Any], expected: bool
) -> None:
    """Shared, about to be shared and unknown are one and the same."""
    assert is_shared(channel) is expected
