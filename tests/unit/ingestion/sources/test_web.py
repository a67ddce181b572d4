"""Web pages and sitemaps as sources."""

import gzip
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ingestion.sources import Fetching, SourceError, Unchanged, open_scanner
from ingestion.sources.guard import RefusedHostError
from tests.fakes.local_http import Reply
from tests.unit.ingestion.sources.places import (
    QUICK,
    Site,
    failures,
    items,
    resolver,
    scan,
    seen,
    served,
    texts,
    unchanged,
)

PAGE = "<!doctype html><p>Returns take 30 days."


@pytest.fixture
def site() -> Iterator[Site]:
    """A web site of the test's own."""
    with served() as made:
        yield made


def test_a_page_is_one_item(site: Site) -> None:
    """It is known by its address and shown by its path."""
    url = site.page("/policies/returns", PAGE)
    (item,) = items(scan("web", url)).values()
    assert (item.key, item.name, item.link) == (url, "policies/returns.html", url)
    assert item.data == PAGE.encode()


@pytest.mark.parametrize(
    ("path", "kind", "name"),
    [
        pytest.param("/", "text/html", "index.html", id="the first page"),
        pytest.param("/help/", "text/html; charset=utf-8", "help/index.html", id="a folder"),
        pytest.param("/a.htm", "text/html", "a.htm", id="another ending of the type"),
        pytest.param("/a.php", "text/html", "a.php.html", id="a program's page"),
        pytest.param("/terms v1.2", "text/html", "terms v1.2.html", id="no ending"),
        pytest.param("/a", "application/pdf", "a.pdf", id="PDF"),
        pytest.param("/a.md", "text/plain", "a.md", id="Markdown sent as text"),
        pytest.param("/a", "text/markdown", "a.md", id="Markdown"),
        pytest.param("/a.pdf", "application/octet-stream", "a.pdf", id="type not told"),
        pytest.param("/r%C3%BCckgabe", "text/html", "rückgabe.html", id="escaped letters"),
    ],
)
def test_the_name_has_an_ending_that_fits_the_type(
    site: Site, path: str, kind: str, name: str
) -> None:
    """The pipeline takes the ending as a hint."""
    url = site.page(path.replace(" ", "%20"), "words", content_type=kind)
    assert [item.name for item in items(scan("web", url)).values()] == [name]


def test_pages_that_differ_by_their_query_have_names_of_their_own(site: Site) -> None:
    """The name is the document's key where the document has none."""
    site.page("/page", PAGE)
    names = {
        item.name
        for id_ in "12"
        for item in items(scan("web", f"{site.origin}/page?id={id_}")).values()
    }
    assert len(names) == 2


def test_a_sitemap_lists_pages(site: Site) -> None:
    """Each page of the sitemap is an item, once."""
    site.page("/a", "about a")
    site.page("/b", "about b")
    found = scan("web", site.sitemap("/a", "/b", "/b#part"))
    assert texts(found) == {f"{site.origin}/a": "about a", f"{site.origin}/b": "about b"}


def test_an_index_leads_to_sitemaps(site: Site) -> None:
    """An index of sitemaps is followed, packed ones too, one level deep."""
    site.page("/a", "about a")
    site.page("/b", "about b")
    inner = site.sitemap("/a", path="/one.xml")
    site.sitemap("/b", path="/two.xml.gz")
    packed = gzip.compress(site.pages["/two.xml.gz"].body)
    site.page("/two.xml.gz", packed, content_type="application/gzip")
    index = "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in
                    (inner, f"{site.origin}/two.xml.gz"))  # fmt: skip
    found = scan("web", site.page("/sitemap.xml", f"<sitemapindex>{index}</sitemapindex>"))
    assert sorted(texts(found).values()) == ["about a", "about b"]


def test_pages_of_other_hosts_are_passed_over(site: Site) -> None:
    """A sitemap speaks for its own host only."""
    site.page("/a", "about a")
    found = scan("web", site.sitemap("/a", "http://10.0.0.1/x", "https://elsewhere.example/"))
    assert list(texts(found).values()) == ["about a"]


def test_a_sitemap_of_another_host_only_is_a_mistake(site: Site) -> None:
    """The sentence names the host that was meant."""
    with pytest.raises(SourceError, match=r"www\.shop\.example"):
        scan("web", site.sitemap("https://www.shop.example/a"))


def test_a_redirect_off_the_host_is_a_failure_of_that_page(site: Site) -> None:
    """The other pages are read."""
    site.page("/a", "about a")
    site.redirect("/b", "http://localhost:1/b")
    found = scan("web", site.sitemap("/a", "/b"))
    assert "redirects to another host" in failures(found)[f"{site.origin}/b"]
    assert len(found) == 2


def test_include_chooses_paths(site: Site) -> None:
    """Patterns are matched with the path; what they leave out is not asked for."""
    for path in ("/policies/a", "/policies/old/b", "/blog/c"):
        site.page(path, path)
    url = site.sitemap("/policies/a", "/policies/old/b", "/blog/c")
    found = scan("web", url, include="/policies/*")
    assert list(texts(found).values()) == ["/policies/a"]
    assert "/blog/c" not in site.paths()
    assert len(scan("web", url, include="policies/**")) == 2


def test_the_limit_cuts_where_addresses_begin_not_where_the_sitemap_does(site: Site) -> None:
    """A sitemap in another order gives the same pages, or documents would come and go."""
    for path in "/a", "/b", "/c":
        site.page(path, path)
    first = scan("web", site.sitemap("/c", "/a", "/b"), limit="2")
    second = scan("web", site.sitemap("/b", "/c", "/a"), limit="2")
    assert list(texts(first).values()) == list(texts(second).values()) == ["/a", "/b"]


def test_a_page_with_an_etag_is_not_sent_again(site: Site) -> None:
    """The known ETag goes with the request."""
    url = site.page("/a", PAGE, etag='"1"')
    known = seen(scan("web", url))
    assert unchanged(scan("web", url, known)) == [url]
    assert site.asked[-1].headers["if-none-match"] == '"1"'


def test_a_page_with_a_date_is_not_sent_again(site: Site) -> None:
    """The known Last-Modified goes with the request."""
    url = site.page("/a", PAGE, last_modified="Wed, 01 Jan 2025 10:00:00 GMT")
    assert unchanged(scan("web", url, seen(scan("web", url)))) == [url]


def test_a_changed_page_is_an_item_again(site: Site) -> None:
    """Another ETag brings the new words."""
    url = site.page("/a", "old", etag='"1"')
    known = seen(scan("web", url))
    site.page("/a", "new", etag='"2"')
    assert texts(scan("web", url, known)) == {url: "new"}


def test_a_moment_in_the_sitemap_saves_the_request(site: Site) -> None:
    """Pages without validators are trusted to be as old as the sitemap says to the second."""
    site.page("/a", PAGE)
    url = site.sitemap(("/a", "2025-01-01T10:00:00Z"))
    known = seen(scan("web", url))
    site.paths()
    assert unchanged(scan("web", url, known)) == [f"{site.origin}/a"]
    assert site.paths() == ["/sitemap.xml"]
    newer = site.sitemap(("/a", "2025-01-02T10:00:00Z"))
    assert texts(scan("web", newer, known)) == {f"{site.origin}/a": PAGE}


def test_a_day_in_the_sitemap_proves_nothing(site: Site) -> None:
    """A page may change twice in a day."""
    site.page("/a", "morning")
    url = site.sitemap(("/a", "2025-01-01"))
    known = seen(scan("web", url))
    site.page("/a", "evening")
    assert list(texts(scan("web", url, known)).values()) == ["evening"]


def test_a_moment_in_the_sitemap_does_not_outweigh_an_etag(site: Site) -> None:
    """A page's own validators are asked for, since generators forget to move their dates."""
    site.page("/a", "old", etag='"1"')
    url = site.sitemap(("/a", "2025-01-01T10:00:00Z"))
    known = seen(scan("web", url))
    site.page("/a", "new", etag='"2"')
    assert list(texts(scan("web", url, known)).values()) == ["new"]


@pytest.mark.parametrize("status", [404, 410])
def test_a_page_that_is_gone_is_not_reported(site: Site, status: int) -> None:
    """The sitemap may still list it."""
    site.page("/a", "about a")
    site.pages["/b"] = Reply(status)
    assert list(texts(scan("web", site.sitemap("/a", "/b"))).values()) == ["about a"]


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_page_that_fails_is_a_failure(site: Site, status: int) -> None:
    """It keeps what was known of it."""
    site.pages["/b"] = Reply(status)
    found = scan("web", site.sitemap("/b"))
    assert f"answered {status}" in failures(found)[f"{site.origin}/b"]


def test_the_only_page_being_gone_is_a_failure_of_the_source(site: Site) -> None:
    """An address that was mistyped does not empty a source."""
    with pytest.raises(SourceError, match="not there any more"):
        scan("web", f"{site.origin}/typo")


@pytest.mark.parametrize(
    "kind", ["image/png", "text/css", "application/javascript", "video/mp4", "application/json",
             "application/octet-stream", ""],
)  # fmt: skip
def test_what_is_no_document_is_passed_over(site: Site, kind: str) -> None:
    """Pictures and the like are neither items nor failures."""
    site.page("/a", "about a")
    site.page("/x", b"\x00", content_type=kind)
    assert list(texts(scan("web", site.sitemap("/a", "/x"))).values()) == ["about a"]


def test_robots_are_respected(site: Site) -> None:
    """A page that robots.txt excludes is a failure which says so, and is not asked for."""
    site.page("/robots.txt", "User-agent: *\nDisallow: /private\n", content_type="text/plain")
    site.page("/a", "about a")
    site.page("/private/b", "about b")
    found = scan("web", site.sitemap("/a", "/private/b"))
    assert "robots.txt" in failures(found)[f"{site.origin}/private/b"]
    assert site.paths() == ["/sitemap.xml", "/a"]


def test_robots_may_speak_of_this_program(site: Site) -> None:
    """Rules for Footnote outweigh those for all."""
    rules = "User-agent: footnote\nDisallow: /\n\nUser-agent: *\nAllow: /\n"
    site.page("/robots.txt", rules, content_type="text/plain")
    assert failures(scan("web", site.page("/a", PAGE)))


def test_robots_are_read_once_in_a_scan(site: Site) -> None:
    """Politeness includes robots.txt itself."""
    for path in "/a", "/b":
        site.page(path, path)
    scan("web", site.sitemap("/a", "/b"))
    assert [request.path for request in site.asked].count("/robots.txt") == 1


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_no_robots_allow_everything(site: Site, status: int) -> None:
    """RFC 9309: a robots.txt that is not there forbids nothing."""
    site.pages["/robots.txt"] = Reply(status)
    assert texts(scan("web", site.page("/a", PAGE)))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_robots_that_cannot_be_read_stop_the_scan(site: Site, status: int) -> None:
    """RFC 9309: while robots.txt cannot be reached, everything counts as forbidden."""
    site.pages["/robots.txt"] = Reply(status)
    with pytest.raises(SourceError, match=r"robots\.txt of 127\.0\.0\.1 cannot be read"):
        scan("web", site.page("/a", PAGE))
    assert site.paths() == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param("<html><p>hello", "not XML", id="a page"),
        pytest.param("", "not XML", id="nothing"),
        pytest.param("<rss></rss>", "no sitemap", id="other XML"),
        pytest.param('<!DOCTYPE x [<!ENTITY a "aaaa">]><urlset>&a;</urlset>', "not XML",
                     id="entities"),
        pytest.param('<!DOCTYPE x SYSTEM "file:///etc/passwd"><urlset/>', "", id="a file here"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_sitemap_is_refused(site: Site, body: str, message: str) -> None:
    """What cannot be read as a list of pages must not look like an empty list."""
    url = site.page("/sitemap.xml", body)
    if not message:
        assert scan("web", url) == []
        return
    with pytest.raises(SourceError, match=message):
        scan("web", url)


def test_a_sitemap_that_unpacks_to_too_much_is_refused(site: Site) -> None:
    """A packed sitemap has the limit of a plain one."""
    bomb = gzip.compress(b"<urlset>" + b" " * 30_000_000)
    with pytest.raises(SourceError, match="larger than 20 MiB"):
        scan("web", site.page("/sitemap.xml.gz", bomb, content_type="application/gzip"))


def test_a_sitemap_that_is_not_there_is_a_failure_of_the_source(site: Site) -> None:
    """Otherwise every page would count as gone."""
    with pytest.raises(SourceError, match="no sitemap at"):
        scan("web", f"{site.origin}/sitemap.xml")


def test_an_index_with_an_unreadable_part_is_a_failure_of_the_source(site: Site) -> None:
    """The pages of the part that is missing must not count as gone."""
    site.page("/a", "about a")
    inner = [site.sitemap("/a", path="/one.xml"), f"{site.origin}/two.xml"]
    index = "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in inner)
    with pytest.raises(SourceError):
        scan("web", site.page("/sitemap.xml", f"<sitemapindex>{index}</sitemapindex>"))


def test_too_many_pages_are_refused(site: Site) -> None:
    """A source has a limit, which `limit` and `include` help to keep."""
    paths = [f"/{number}" for number in range(4)]
    for path in paths:
        site.page(path, path)
    few = replace(QUICK, max_items=3)
    with pytest.raises(SourceError, match="more than 3 files"):
        scan("web", site.sitemap(*paths), config=few)


def test_requests_keep_their_distance(site: Site) -> None:
    """By default there are at most two requests a second; here the distance is shorter."""
    assert Fetching().pace == 0.5
    for path in "/a", "/b":
        site.page(path, path)
    start = time.monotonic()
    scan("web", site.sitemap("/a", "/b"), pause="0.05")
    assert time.monotonic() - start >= 3 * 0.05


def test_the_site_may_ask_for_more_distance(site: Site) -> None:
    """Crawl-delay in robots.txt counts where it is longer."""
    site.page("/robots.txt", "User-agent: *\nCrawl-delay: 0.1\n", content_type="text/plain")
    site.page("/a", PAGE)
    start = time.monotonic()
    scan("web", f"{site.origin}/a")
    assert time.monotonic() - start >= 0.1


def test_a_private_site_is_refused() -> None:
    """A place that the operator did not allow is a failure of the source."""
    with pytest.raises(RefusedHostError, match=r"wiki\.test is not on the public internet"):
        scan("web", "http://wiki.test/", config=Fetching(resolve=resolver(wiki_test="10.1.2.3")))


def test_a_page_that_the_scan_has_no_room_for_waits(site: Site) -> None:
    """What was read counts; the rest is told and read at the next look."""
    for path in "/a", "/b":
        site.page(path, "x" * 60)
    found = scan("web", site.sitemap("/a", "/b"), config=replace(QUICK, max_total=50))
    assert "next look" in failures(found)[f"{site.origin}/b"]
    assert not any(isinstance(one, Unchanged) for one in found)


@pytest.mark.parametrize(
    ("uri", "options", "message"),
    [
        pytest.param("example.com", {}, "not read over http|not an address", id="no scheme"),
        pytest.param("https://a:b@example.com/", {}, "password", id="password"),
        pytest.param("https://example.com/", {"glob": "*"}, "include, limit, pause", id="option"),
        pytest.param("https://example.com/", {"limit": "many"}, "number", id="limit"),
        pytest.param("https://example.com/", {"pause": "-1"}, "number", id="pause"),
    ],
)
def test_a_source_that_cannot_be_one_is_refused_at_once(
    uri: str, options: dict[str, str], message: str
) -> None:
    """Nothing is asked of anybody."""
    with pytest.raises(SourceError, match=message):
        open_scanner("web", uri, options, QUICK)
