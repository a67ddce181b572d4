"""Installing the app by OAuth: Slack's flow with our stores, our pages and no surprises."""

import logging
import re
from collections.abc import Callable, Sequence
from urllib.parse import urljoin

from slack_bolt import BoltRequest, BoltResponse
from slack_bolt.error import BoltError
from slack_bolt.oauth import OAuthFlow
from slack_bolt.oauth.callback_options import CallbackOptions, FailureArgs, SuccessArgs
from slack_bolt.oauth.oauth_settings import OAuthSettings
from slack_sdk.oauth.installation_store import Installation

from bot.client import SLACK_FAILURES, client_of
from bot.install_pages import failed_page, install_page, installed_page, reason
from bot.installations import STATE_LIFETIME, Installations, States
from core.errors import FootnoteError
from core.logs import logger
from core.settings import Settings

INSTALL_PATH = "/slack/install"
REDIRECT_PATH = "/slack/oauth_redirect"
COOKIE = "footnote-install"
TEAM = re.compile(r"[TE][A-Z0-9]{2,20}", re.ASCII)
UNREACHABLE = "Slack cannot be reached now. Please begin again."
HTML = {"Content-Type": "text/html; charset=utf-8"}

log = logger(__name__)


class Installing(OAuthFlow):
    """Slack's OAuth flow: a page, a state in a cookie that is good once, a code for a token."""

    def __init__(
        self,
        settings: Settings,
        installations: Installations,
        states: States,
        scopes: Sequence[str],
        installed: Callable[[str], None],
    ) -> None:
        """`installed` is told the id of each team once its installation is kept."""
        quiet = logging.getLogger("footnote.oauth")
        quiet.setLevel(logging.ERROR)  # below that Slack's code logs codes
        secret = settings.slack_client_secret
        address = settings.slack_address
        self._installed = installed
        super().__init__(
            client=client_of(settings, None),
            logger=quiet,
            settings=OAuthSettings(
                client_id=settings.slack_client_id,
                client_secret=secret.get_secret_value() if secret else None,
                scopes=list(scopes),
                user_scopes=[],
                redirect_uri=None if address is None else address + REDIRECT_PATH,
                install_path=INSTALL_PATH,
                redirect_uri_path=REDIRECT_PATH,
                authorization_url=urljoin(settings.slack_api_url, "/oauth/v2/authorize"),
                installation_store=installations,
                state_store=states,
                state_cookie_name=COOKIE,
                state_expiration_seconds=int(STATE_LIFETIME),
                callback_options=CallbackOptions(success=self._success, failure=self._failure),
                logger=quiet,
            ),
        )

    def build_authorize_url(self, state: str, request: BoltRequest) -> str:
        """Return the address of Slack's page; a team that is named may be chosen already there."""
        named = (request.query.get("team") or [""])[0]
        team = named if TEAM.fullmatch(named) else None
        return self.settings.authorize_url_generator.generate(state=state, team=team)

    def build_install_page_html(self, url: str, request: BoltRequest) -> str:
        """Return the page that leads there."""
        del request
        return install_page(url)

    def store_installation(self, request: BoltRequest, installation: Installation) -> None:
        """Keep the installation. Raises BoltError where it cannot be one of ours."""
        try:
            super().store_installation(request, installation)
        except FootnoteError as error:
            raise BoltError(str(error)) from error
        self._installed(installation.team_id or "")

    def handle_callback(self, request: BoltRequest) -> BoltResponse:
        """Take the browser that comes back from Slack; what goes wrong becomes a page."""
        try:
            return super().handle_callback(request)
        except SLACK_FAILURES as error:
            log.warning("installation failed", error=type(error).__name__)
            return _page(502, failed_page(UNREACHABLE, INSTALL_PATH))

    def _success(self, args: SuccessArgs) -> BoltResponse:
        made = args.installation
        log.info("app installed", team=made.team_id)
        words = installed_page(made.team_name or "your workspace", made.app_id, made.team_id)
        page = _page(200, words)
        page.headers["set-cookie"] = [self.settings.state_utils.build_set_cookie_for_deletion()]
        return page

    def _failure(self, args: FailureArgs) -> BoltResponse:
        log.warning("app not installed", reason=args.reason)
        why = str(args.error) if args.error else reason(args.reason)
        status = 400 if args.error else args.suggested_status_code
        return _page(status, failed_page(why, INSTALL_PATH))


def _page(status: int, words: str) -> BoltResponse:
    return BoltResponse(status=status, body=words, headers=dict(HTML))
