"""Files are fetched from Slack's own hosts, with the token, within limits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from ingestion.errors import DocumentError
from ingestion.sources.slack_files import Downloader, SlackFile
from tests.fakes.local_http import HangUpError, LocalServer, Reply, Request

TOKEN = "xoxb-secret"
TEXT = b"# Rules\n\nBe kind.\n"


@dataclass
class Host:
    """A server that answers by a script and keeps which tokens it was shown."""

    script: Callable[[Request], Reply] = lambda _: Reply(200, TEXT, "text/plain")
    tokens: list[str | None] = field(default_factory=list)
    origin: str = ""

    def route(self, request: Request) -> Reply:
        """Keep the token, then follow the script."""
        self.tokens.append(request.bearer)
        return self.script(request)

    @property
    def downloader(self) -> Downloader:
        """What fetches from here."""
        return Downloader(TOKEN, f"{self.origin}/api/", limit=1_000_000, pause=0.01)

    def file(self, **changes: Any) -> SlackFile:
        """A file that is kept here."""
        told = {"id": "F1", "name": "rules.md", "mode": "hosted", "size": len(TEXT)}
        told |= {"mimetype": "text/plain", "url_private_download": f"{self.origin}/files/F1"}
        return SlackFile.of(told | changes)


@contextmanager
def hosting() -> Iterator[Host]:
    """Run a host."""
    host = Host()
    with LocalServer(host.route) as server:
        host.origin = server.origin
        yield host


@pytest.fixture
def host() -> Iterator[Host]:
    """Where the files are."""
    with hosting() as made:
        yield made


def test_a_file_is_fetched_with_the_token(host: Host) -> None:
    """Its bytes come back as they are."""
    assert host.downloader.fetch(host.file()) == TEXT
    assert host.tokens == [TOKEN]


def test_an_uploaded_page_is_a_document(host: Host) -> None:
    """HTML of the size that Slack gave is what somebody uploaded, not a page to sign in on."""
    page = b"<!DOCTYPE html><html><body>Hours</body></html>"
    host.script = lambda _: Reply(200, page, "text/html")
    assert host.downloader.fetch(host.file(size=len(page), mimetype="text/html")) == page


@pytest.mark.parametrize(
    ("said", "size"),
    [
        pytest.param("text/html; charset=utf-8", len(TEXT), id="as a page"),
        pytest.param("text/plain", len(TEXT), id="as text"),
        pytest.param("text/html", None, id="of unknown size"),
    ],
)
def test_a_page_in_the_place_of_a_file_is_refused(host: Host, said: str, size: int | None) -> None:
    """A refused token is answered with one, and 200."""
    host.script = lambda _: Reply(200, b"<!DOCTYPE html><html>Sign in</html>", said)
    with pytest.raises(DocumentError, match="did not hand rules"):
        host.downloader.fetch(host.file(size=size))


def test_a_redirect_within_slack_is_followed(host: Host) -> None:
    """With the token, as it stays where it was."""
    host.script = lambda request: (
        Reply(200, TEXT, "text/plain")
        if request.path == "/moved"
        else Reply(302, headers={"Location": "/moved"})
    )
    assert host.downloader.fetch(host.file()) == TEXT
    assert host.tokens == [TOKEN, TOKEN]


def test_a_redirect_to_another_host_is_not_followed(host: Host) -> None:
    """The other host is not even asked."""
    with hosting() as other:
        host.script = lambda _: Reply(302, headers={"Location": f"{other.origin}/x"})
        with pytest.raises(DocumentError, match="not kept at one of Slack's own"):
            host.downloader.fetch(host.file())
        assert other.tokens == []


def test_redirects_have_an_end(host: Host) -> None:
    """A host that sends us round and round is given up."""
    host.script = lambda _: Reply(302, headers={"Location": "/again"})
    with pytest.raises(DocumentError, match="could not be fetched"):
        host.downloader.fetch(host.file())
    assert len(host.tokens) < 10


def test_more_bytes_than_were_told_are_not_taken(host: Host) -> None:
    """The limit holds while the file is read, whatever its size was said to be."""
    sent: list[int] = []

    def endless() -> Iterator[bytes]:
        for _ in range(100):
            sent.append(1)
            yield b"x" * 100_000

    host.script = lambda _: Reply(200, content_type="text/plain", stream=endless())
    with pytest.raises(DocumentError, match="more than the"):
        host.downloader.fetch(host.file())
    assert len(sent) < 100


def test_a_large_file_is_refused_before_it_is_fetched(host: Host) -> None:
    """By what Slack tells of it."""
    with pytest.raises(DocumentError, match=r"200\.0 MiB, more than the 100 MiB"):
        host.downloader.fetch(host.file(size=200 * 2**20))
    assert host.tokens == []


def test_trouble_is_tried_again_but_not_for_ever(host: Host) -> None:
    """A few tries, then a sentence."""

    def stumble(_: Request) -> Reply:
        if len(host.tokens) == 1:
            raise HangUpError
        if len(host.tokens) == 2:
            return Reply(503, b"", "text/plain")
        return Reply(200, TEXT, "text/plain")

    host.script = stumble
    assert host.downloader.fetch(host.file()) == TEXT
    host.script = lambda _: Reply(200, TEXT[:5], "text/plain")
    with pytest.raises(DocumentError, match="could not be fetched"):
        host.downloader.fetch(host.file())
    assert len(host.tokens) == 6


@pytest.mark.parametrize(
    ("api", "address", "slack"),
    [
        ("https://slack.com/api/", "https://files.slack.com/files-pri/T1-F1/a.md", True),
        ("https://slack.com/api/", "https://acme.slack.com/a", True),
        ("https://slack.com/api/", "http://files.slack.com/a.md", False),
        ("https://slack.com/api/", "https://files.slack.com:8443/a.md", False),
        ("https://slack.com/api/", "https://evil-slack.com/a.md", False),
        ("https://slack.com/api/", "https://slack.com.evil.example/a.md", False),
        ("https://slack.com/api/", "https://files.slack.com@evil.example/a.md", False),
        ("https://slack.com/api/", "https://evil.example\\@files.slack.com/a.md", False),
        ("https://slack.com/api/", "file:///etc/passwd", False),
        ("https://slack-gov.com/api/", "https://files.slack-gov.com/a.md", True),
        ("http://127.0.0.1:9000/api/", "http://127.0.0.1:9000/a.md", True),
        ("http://127.0.0.1:9000/api/", "http://127.0.0.1:9001/a.md", False),
        ("http://127.0.0.1:9000/api/", "https://x.127.0.0.1/a.md", False),
    ],
)
def test_the_token_goes_to_slack_alone(api: str, address: str, slack: bool) -> None:
    """By HTTPS to its hosts, or to exactly where the API is."""
    assert Downloader(TOKEN, api).may_have_token(address) is slack
