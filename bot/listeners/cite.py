"""`/cite <question>`: an answer that only the asker sees. Alone or with `help`, it explains."""

from slack_bolt import BoltContext

from bot.desk import Asked
from bot.incoming import Body, Incoming, spoken
from bot.replies import PrivateReply

HELP_WORD = "help"


def read(body: Body, context: BoltContext) -> Asked | None:
    """Return the question of a `/cite` command."""
    words = spoken(body.get("text") or "", context.bot_user_id)
    incoming = Incoming(
        team=body["team_id"],
        channel=body["channel_id"],
        ts=f"cite-{body['trigger_id']}",
        user=body["user_id"],
        text="" if words.lower() == HELP_WORD else words,
        event_id="",
        private=True,
        command=True,
    )
    return Asked(incoming, context.client, PrivateReply(body["response_url"]))
