"""Reading one address."""

import gzip
import re
import threading
import zlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from core.errors import FootnoteError
from ingestion.sources import Fetching, SourceError
from ingestion.sources.fetch import Fetched, Fetcher, FetchError
from ingestion.sources.guard import RefusedHostError
from tests.fakes.local_http import HangUpError, LocalServer, Reply, Request
from tests.unit.ingestion.sources.places import QUICK, Site, resolver, served


@pytest.fixture
def site() -> Iterator[Site]:
    """A web site of the test's own."""
    with served() as made:
        yield made


def get(
    url: str,
    headers: dict[str, str] | None = None,
    config: Fetching = QUICK,
    *,
    same_host: bool = False,
    limit: int | None = None,
) -> Fetched:
    """Fetch an address with a fetcher of its own."""
    fetcher = Fetcher(config)
    try:
        return fetcher.get(url, headers, same_host=same_host, limit=limit)
    finally:
        fetcher.close()


def test_a_page_comes_with_its_type_and_date(site: Site) -> None:
    """What the server says of a page is kept beside its bytes."""
    url = site.page(
        "/", "words", content_type="Text/HTML; charset=utf-8",
        last_modified="Wed, 01 Jan 2025 10:00:00 GMT",
    )  # fmt: skip
    answer = get(url)
    assert (answer.data, answer.media_type) == (b"words", "text/html")
    assert answer.modified is not None
    assert answer.modified.isoformat() == "2025-01-01T10:00:00+00:00"


def test_requests_say_who_asks(site: Site) -> None:
    """A site's owner can see in the log who reads it."""
    get(site.page("/", "words"))
    assert site.asked[0].headers["user-agent"].startswith("Footnote/")


def test_redirects_are_followed(site: Site) -> None:
    """A page that moved is read where it is."""
    site.page("/new", "words")
    assert get(site.redirect("/old", "/new", 308)).url == f"{site.origin}/new"


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:1/", "http://2130706433/", "http://0x7f.1/", "http://[::1]/",
        "http://[::ffff:10.0.0.1]/", "http://169.254.169.254/latest/meta-data/",
        "//10.0.0.1/", "http://metadata.google.internal/",
    ],
)  # fmt: skip
def test_a_redirect_into_a_private_network_is_refused(site: Site, target: str) -> None:
    """Where a redirect leads is judged like the first address."""
    only_this = replace(QUICK, allowed_hosts=frozenset({f"127.0.0.1:{site.port}"}))
    with pytest.raises(RefusedHostError):
        get(site.redirect("/", target), config=only_this)


def test_what_stands_before_an_at_sign_is_no_host(site: Site) -> None:
    """A redirect with a trusted name as its user does not pass for that host."""
    with pytest.raises(FetchError, match="redirects to what is no address"):
        get(site.redirect("/", "http://127.0.0.1@169.254.169.254/"))


@pytest.mark.parametrize("target", ["ftp://example.com/", "file:///etc/passwd", "gopher://a/"])
def test_a_redirect_to_something_else_than_http_is_refused(site: Site, target: str) -> None:
    """Only http and https are read, wherever a redirect leads."""
    with pytest.raises(FetchError, match="redirects to what is no address"):
        get(site.redirect("/", target))


def test_redirects_come_to_an_end(site: Site) -> None:
    """A page that leads to itself is given up."""
    with pytest.raises(FetchError, match="more than 5 times"):
        get(site.redirect("/", "/"))


def test_a_redirect_off_the_host_is_refused_where_one_host_is_read(site: Site) -> None:
    """A sitemap's pages are those of its own host."""
    with served() as other:
        url = site.redirect("/", other.page("/", "words of somebody else"))
        with pytest.raises(FetchError, match="redirects to another host"):
            get(url, same_host=True)
    assert other.asked == []


def test_credentials_stay_with_their_host(site: Site) -> None:
    """What a request carries for one host is not sent to where it redirects."""
    secrets = {"Authorization": "Bearer abc", "Cookie": "a=b", "X-Other": "kept"}
    with served() as other:
        other.page("/", "words")
        get(site.redirect("/", f"{other.origin}/"), secrets)
    assert site.asked[0].headers["authorization"] == "Bearer abc"
    assert other.asked[0].headers["x-other"] == "kept"
    assert not {"authorization", "cookie"} & {name.lower() for name in other.asked[0].headers}


def test_credentials_go_along_within_their_host(site: Site) -> None:
    """A redirect on the same host keeps what the request carries."""
    site.page("/new", "words")
    get(site.redirect("/old", "/new"), {"Authorization": "Bearer abc"})
    assert site.asked[1].headers["authorization"] == "Bearer abc"


def test_cookies_are_not_kept(site: Site) -> None:
    """A site cannot follow what is read over several requests."""
    url = site.page("/", "words", set_cookie="id=1")
    fetcher = Fetcher(QUICK)
    fetcher.get(url)
    fetcher.get(url)
    fetcher.close()
    assert site.asked[1].headers["cookie"] is None


def test_a_page_of_the_right_size_passes_and_a_larger_one_is_refused(site: Site) -> None:
    """The limit holds for a body whatever its announced length."""
    url = site.page("/", b"x" * 1000)
    assert len(get(url, limit=1000).data) == 1000
    with pytest.raises(FetchError, match="larger than"):
        get(url, limit=999)


def test_the_limit_is_that_of_the_unpacked_page(site: Site) -> None:
    """A small body that unpacks to a large page is cut off on the way."""
    packed = gzip.compress(b"x" * 10_000_000)
    assert len(packed) < 20_000
    with pytest.raises(FetchError, match="larger than"):
        get(site.page("/", packed, content_encoding="gzip"), limit=100_000)


def test_a_packed_page_is_unpacked(site: Site) -> None:
    """Servers may send pages packed."""
    url = site.page("/", gzip.compress(b"words"), content_encoding="gzip")
    assert get(url).data == b"words"


def test_a_damaged_body_is_a_sentence(site: Site) -> None:
    """A body that is not what its encoding says is refused at once."""
    url = site.page("/", zlib.compress(b"words")[:-3] + b"???", content_encoding="gzip")
    with pytest.raises(FetchError, match="damaged encoding"):
        get(url)
    assert len(site.asked) == 1


@pytest.mark.parametrize("status", [404, 410])
def test_what_is_gone_is_no_error(site: Site, status: int) -> None:
    """A page that is not there any more is an answer."""
    site.pages["/"] = Reply(status)
    assert get(f"{site.origin}/").status == status


def test_a_page_that_did_not_change_is_not_sent(site: Site) -> None:
    """A request with the known ETag gets a short answer."""
    url = site.page("/", "words", etag='"1"')
    answer = get(url, {"if-none-match": '"1"'})
    assert (answer.status, answer.data) == (304, b"")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(status: int) -> None:
    """What may pass is tried three times in all."""
    answers = iter([Reply(status), Reply(status), Reply(200, b"words")])
    with LocalServer(lambda _: next(answers)) as server:
        assert get(server.origin).data == b"words"


def test_a_server_that_stays_busy_is_given_up(site: Site) -> None:
    """The sentence says what the server answered, and the status is known."""
    site.pages["/"] = Reply(503)
    with pytest.raises(FetchError, match="the server answered 503") as caught:
        get(f"{site.origin}/")
    assert (caught.value.status, len(site.asked)) == (503, 3)


def test_a_server_that_asks_for_a_long_time_is_not_waited_for(site: Site) -> None:
    """More than ten seconds are left to the next look."""
    site.pages["/"] = Reply(429, headers={"retry-after": "3600"})
    with pytest.raises(FetchError):
        get(f"{site.origin}/")
    assert len(site.asked) == 1


def test_a_date_to_wait_for_is_understood(site: Site) -> None:
    """Servers may name the moment instead of the seconds."""
    site.pages["/"] = Reply(429, headers={"retry-after": "Fri, 31 Dec 2100 23:59:59 GMT"})
    with pytest.raises(FetchError):
        get(f"{site.origin}/")
    assert len(site.asked) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 451])
def test_a_refusal_is_not_repeated(site: Site, status: int) -> None:
    """What will not change by asking again is asked once."""
    site.pages["/"] = Reply(status)
    with pytest.raises(FetchError, match=f"the server answered {status}"):
        get(f"{site.origin}/")
    assert len(site.asked) == 1


def test_a_connection_that_breaks_is_made_again() -> None:
    """A server that hung up once is asked again."""
    calls: list[Request] = []

    def answer(request: Request) -> Reply:
        calls.append(request)
        if len(calls) == 1:
            raise HangUpError
        return Reply(200, b"words")

    with LocalServer(answer) as server:
        assert get(server.origin).data == b"words"


def test_a_body_that_breaks_off_is_not_taken_for_the_page() -> None:
    """Half a page must never become a version."""

    def pieces() -> Iterator[bytes]:
        yield b"half of"
        raise HangUpError

    def answer(_: Request) -> Reply:
        return Reply(200, stream=pieces())

    with LocalServer(answer) as server, pytest.raises(FetchError, match="hung up"):
        get(server.origin)


def test_a_server_that_drips_is_cut_off() -> None:
    """Bytes that come one by one keep within every single timeout, but not within the total."""
    ended = threading.Event()

    def drip() -> Iterator[bytes]:
        while not ended.wait(0.02):
            yield b"x"

    config = replace(QUICK, patience=0.3)
    with LocalServer(lambda _: Reply(200, stream=drip())) as server:
        with pytest.raises(FetchError, match=re.escape("did not arrive within 0.3 s")):
            get(server.origin, config=config)
        ended.set()


def test_a_server_that_says_nothing_is_given_up() -> None:
    """No answer at all ends with the timeout."""
    ended = threading.Event()

    def wait(_: Request) -> Reply:
        ended.wait(5)
        return Reply(200)

    config = replace(QUICK, timeout=0.05)
    with LocalServer(wait) as server:
        with pytest.raises(FetchError, match="did not answer within"):
            get(server.origin, config=config)
        ended.set()


def test_a_host_that_refuses_connections_is_a_sentence() -> None:
    """Nobody listens on port 1."""
    with pytest.raises(FetchError, match=re.escape("127.0.0.1 could not be reached")):
        get("http://127.0.0.1:1/")


def test_a_plain_server_at_an_https_address_is_a_sentence(site: Site) -> None:
    """A server that does not prove who it is, is not read."""
    with pytest.raises(FetchError, match=r"certificate"):
        get(site.origin.replace("http:", "https:"))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param("ftp://example.com/", "not read over http or https", id="scheme"),
        pytest.param("example.com", "not an address|not read over", id="no scheme"),
        pytest.param("http://", "not an address", id="no host"),
        pytest.param("http://bob:secret@example.com/", "holds a name or password", id="password"),
        pytest.param("http://exa mple.com/", "not an address", id="space in the host"),
        pytest.param("http://example.com/\r\nX: y", "not an address", id="line break"),
        pytest.param("http://example.com:99999/", "not an address", id="port"),
        pytest.param("http://example.com/" + "a" * 2000, "not an address", id="long"),
    ],
)
def test_an_address_of_another_form_is_refused(url: str, message: str) -> None:
    """Each is refused in a sentence, without a password in it, before anything is connected."""
    with pytest.raises(SourceError, match=message) as caught:
        get(url)
    assert "secret" not in str(caught.value)


def test_an_address_in_a_private_network_is_refused() -> None:
    """The operator did not allow it."""
    with pytest.raises(RefusedHostError):
        get("http://wiki.test/", config=Fetching(resolve=resolver(wiki_test="10.0.0.1")))


def test_a_failure_is_one_that_people_may_see() -> None:
    """Commands print it as it is."""
    assert issubclass(FetchError, FootnoteError)
