"""A local server that speaks Slack: `SlackServer` and the records its tests look at."""

from .delivery import Delivery
from .people import Interaction
from .records import Call, Channel, Message, NotSeenError, SharedFile, SlackError, User, View
from .server import SLACK_RATE_LIMITS, SlackServer
from .signed_http import HttpAnswer
from .team import Team
from .web import RateLimit

__all__ = [
    "SLACK_RATE_LIMITS",
    "Call",
    "Channel",
    "Delivery",
    "HttpAnswer",
    "Interaction",
    "Message",
    "NotSeenError",
    "RateLimit",
    "SharedFile",
    "SlackError",
    "SlackServer",
    "Team",
    "User",
    "View",
]
