"""The pages a browser shows while the app is installed: plain HTML, no scripts, nothing loaded."""

from base64 import b64encode
from hashlib import sha256
from html import escape

STYLE = """
:root { color-scheme: light dark; }
body { margin: 12vh auto; max-width: 34rem; padding: 0 1.25rem;
  font: 1.0625rem/1.55 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; }
ul { padding-left: 1.2rem; }
a.go { display: inline-block; margin-top: .5rem; padding: .65rem 1.1rem; border-radius: .5rem;
  background: #1f2937; color: #fff; text-decoration: none; font-weight: 600; }
a.go:focus-visible { outline: 3px solid #60a5fa; outline-offset: 2px; }
@media (prefers-color-scheme: dark) { a.go { background: #e5e7eb; color: #111827; } }
"""
STYLE_HASH = b64encode(sha256(STYLE.encode()).digest()).decode()

HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

MAY = (
    "read messages where it is mentioned, in the channels it is invited to, and in direct messages"
    " with it",
    "answer there, and show files that are shared with it to the people who may read them",
    "look up who its members, channels and user groups are, to show each answer only to those who"
    " may read it",
)
"""What the scopes come to, in words."""

REASONS = {
    "access_denied": "You did not allow it, so nothing was installed.",
    "invalid_browser": (
        "This answer belongs to another browser, or its cookie is gone. Please begin again in one"
        " window."
    ),
    "invalid_state": (
        "This link was used already, or is older than ten minutes. Please begin again."
    ),
    "missing_code": "Slack sent no code along. Please begin again.",
    "invalid_code": "Slack did not take the code. Please begin again.",
}
OTHERWISE = "Slack refused it. Please begin again, or ask whoever runs Footnote."


def install_page(address: str) -> str:
    """Return the page that leads to Slack's own, at `address`."""
    may = "".join(f"<li>{escape(what)}</li>" for what in MAY)
    return _page(
        "Add Footnote to Slack",
        "<p>Footnote answers questions from your company’s policies and quotes them exactly."
        f"</p><p>Slack will ask you to let it:</p><ul>{may}</ul>"
        f'<p><a class="go" href="{escape(address)}">Add to Slack</a></p>',
    )


def installed_page(team: str, app_id: str | None, team_id: str | None) -> str:
    """Return the page that says that the app is there, and what to do next."""
    opening = ""
    if app_id and team_id:
        address = f"https://slack.com/app_redirect?app={app_id}&team={team_id}"
        opening = f'<p><a class="go" href="{escape(address)}">Open Slack</a></p>'
    return _page(
        f"Footnote is in {team}",
        "<p>Write it a direct message, or invite it to a channel and mention it with a question."
        f"</p>{opening}",
    )


def failed_page(why: str, again: str | None) -> str:
    """Return the page that says why nothing was installed; `again` is where to begin anew."""
    link = f'<p><a class="go" href="{escape(again)}">Begin again</a></p>' if again else ""
    return _page("Footnote was not installed", f"<p>{escape(why)}</p>{link}")


def reason(code: str) -> str:
    """Return what stands behind an error's code, as a sentence."""
    return REASONS.get(code, OTHERWISE)


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>\n"
    )
