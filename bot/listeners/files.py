"""Files shared with the bot: taken from knowledge admins, refused from everybody else."""

import hashlib
from dataclasses import dataclass

from slack_sdk import WebClient

from bot.incoming import Incoming
from bot.people import People
from bot.uploads import Intake, Place, Uploads
from core.logs import logger
from ingestion.errors import display_name
from store.audit import record
from store.uploads import open_upload

REFUSED = (
    "Only knowledge admins can add documents: ask an owner or admin of this workspace to share"
    " {them} with me, or have an operator make you one (footnote members set {user} --role"
    " knowledge_admin)."
)

log = logger(__name__)


@dataclass(frozen=True)
class SharedFiles:
    """Takes the files of a message: writes them down to be fetched, and says so at once."""

    intake: Intake
    people: People
    uploads: Uploads

    def receive(self, client: WebClient, incoming: Incoming) -> str | None:
        """Take the files of a message; return the sentence why not, where its sender may not.

        The same message again adds nothing. Raises one of `bot.client.SLACK_FAILURES` where
        Slack does not say who sent it.
        """
        if not self.people.may_add_documents(client, incoming.team, incoming.user):
            return self._refused(incoming)
        if self._taken(incoming, self.people.readers(client, incoming)):
            log.info("files taken", key=incoming.message_key, files=len(incoming.files))
            self.uploads.wake()
        return None

    def _taken(self, incoming: Incoming, audience: tuple[str, ...] | None) -> bool:
        """Write the upload down, to be fetched and told; False if it was written down before."""
        ids = " ".join(file.id for file in incoming.files)
        place = Place(incoming.channel, incoming.thread, wanted=incoming.files, audience=audience)
        with self.intake.engine.begin() as connection:
            upload, is_new = open_upload(
                connection,
                self.intake.workspace_id,
                incoming.user,
                hashlib.sha256(ids.encode()).hexdigest(),
                idempotency_key=incoming.message_key,
                reply=place.to_json(),
            )
            if is_new:
                record(
                    connection,
                    self.intake.workspace_id,
                    incoming.user,
                    "documents uploaded",
                    upload.id,
                    files=len(incoming.files),
                    refused=0,
                )
        return is_new

    def _refused(self, incoming: Incoming) -> str:
        names = [display_name(file.name) for file in incoming.files]
        with self.intake.engine.begin() as connection:
            record(
                connection,
                self.intake.workspace_id,
                incoming.user,
                "upload refused",
                ", ".join(names),
                files=names,
                channel=incoming.channel,
            )
        them = "it" if len(names) == 1 else "them"
        return REFUSED.format(them=them, user=incoming.user)
