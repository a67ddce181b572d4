"""Places that fsspec knows, as sources."""

import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import fsspec  # type: ignore[import-untyped]
import pytest

from ingestion.sources import Failure, Fetching, SourceError, open_scanner
from ingestion.sources.guard import RefusedHostError
from tests.unit.ingestion.sources.places import (
    QUICK,
    failures,
    items,
    resolver,
    scan,
    seen,
    texts,
    unchanged,
)


class Place:
    """A place in fsspec's memory."""

    def __init__(self) -> None:
        self.uri = f"memory://{uuid4().hex}"
        self.files: Any = fsspec.filesystem("memory")

    def write(self, path: str, text: str = "words") -> None:
        """Write a file."""
        self.files.pipe_file(f"{self.uri}/{path}", text.encode())


@pytest.fixture
def place() -> Iterator[Place]:
    """A place of the test's own."""
    made = Place()
    made.files.makedirs(made.uri)
    yield made
    made.files.rm(made.uri, recursive=True)


def test_documents_below_the_address_are_items(place: Place) -> None:
    """A document is known by its path below the address."""
    place.write("returns.md", "30 days")
    place.write("people/leave.txt", "25 days")
    found = scan("address", place.uri)
    assert texts(found) == {"people/leave.txt": "25 days", "returns.md": "30 days"}
    assert all(item.modified is not None for item in items(found).values())


def test_a_file_may_be_named_itself(place: Place) -> None:
    """The address of a file is a source with one document."""
    place.write("people/leave.txt", "25 days")
    assert texts(scan("address", f"{place.uri}/people/leave.txt")) == {"leave.txt": "25 days"}


def test_patterns_choose_files(place: Place) -> None:
    """As in a folder; hidden files and what is no document are left out."""
    for path in "a.md", "x/b.md", "photo.png", ".hidden.md":
        place.write(path)
    assert set(texts(scan("address", place.uri))) == {"a.md", "x/b.md"}
    assert set(texts(scan("address", place.uri, glob="x/*"))) == {"x/b.md"}


def test_only_what_changed_is_read(place: Place) -> None:
    """What the place tells of a file is its fingerprint."""
    place.write("a.md", "one")
    place.write("b.md", "two")
    known = seen(scan("address", place.uri))
    place.write("b.md", "three")
    found = scan("address", place.uri, known)
    assert unchanged(found[:1]) == ["a.md"]
    assert texts(found[1:]) == {"b.md": "three"}


def test_a_file_written_just_now_is_read_again(place: Place) -> None:
    """Many places count whole seconds, within which a file may change once more."""
    usual = replace(QUICK, settled=Fetching().settled)
    place.write("a.md", "one")
    found = scan("address", place.uri, config=usual)
    assert texts(scan("address", place.uri, seen(found), usual)) == {"a.md": "one"}


def test_a_large_file_is_a_failure(place: Place) -> None:
    """The others are read."""
    place.write("a.md", "one")
    place.write("b.md", "x" * 2000)
    found = scan("address", place.uri, config=replace(QUICK, max_bytes=1000))
    assert set(failures(found)) == {"b.md"}
    assert texts([one for one in found if not isinstance(one, Failure)]) == {"a.md": "one"}


def test_too_many_files_are_refused(place: Place) -> None:
    """The sentence names the way out."""
    for number in range(4):
        place.write(f"{number}.md")
    with pytest.raises(SourceError, match="more than 3 files"):
        scan("address", place.uri, config=replace(QUICK, max_items=3))


def test_an_address_where_nothing_is_is_a_failure_of_the_source() -> None:
    """A mistyped address does not make everything go."""
    with pytest.raises(SourceError, match="nothing at"):
        scan("address", "memory://nobody/wrote/this")


@pytest.mark.parametrize(
    ("uri", "package"),
    [
        ("s3://bucket/policies", "s3fs"),
        ("gs://bucket/policies", "gcsfs"),
        ("abfs://container@account.dfs.core.windows.net/policies", "adlfs"),
        ("sftp://files.test/policies", "paramiko"),
        ("webdav://files.test/policies", "webdav4"),
    ],
)
def test_what_is_not_installed_is_told_with_the_command(uri: str, package: str) -> None:
    """The packages of clouds are an extra."""
    config = Fetching(resolve=resolver(files_test="93.184.216.34"))
    if importlib.util.find_spec(package) is None:
        with pytest.raises(SourceError, match=r"needs python3 run\.py install cloud"):
            scan("address", uri, config=config)
    else:
        open_scanner("address", uri, {}, config)


@pytest.mark.parametrize("scheme", ["ftp", "webdav", "dav"])
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "files.test", "2130706433"])
def test_private_hosts_are_refused(scheme: str, host: str) -> None:
    """An address with a host is judged before anything is connected."""
    known = resolver(files_test="10.0.0.1", **{"127_0_0_1": "127.0.0.1", "::1": "::1",
                                               "2130706433": "127.0.0.1"})  # fmt: skip
    with pytest.raises(SourceError) as caught:
        scan("address", f"{scheme}://{host}/a", config=Fetching(resolve=known))
    assert isinstance(caught.value, RefusedHostError) or host == "[::1]"


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        pytest.param("/srv/policies", "watch it as a folder", id="path"),
        pytest.param("file:///srv/policies", "watch it as a folder", id="file"),
        pytest.param("local:///srv/policies", "watch it as a folder", id="local"),
        pytest.param("https://example.com/a", "web page or a sitemap", id="web"),
        pytest.param("git://example.com/a", "git repository", id="git"),
        pytest.param("zip://a.md::/srv/a.zip", "not read", id="chain"),
        pytest.param("simplecache::s3://a/b", "not read", id="cache"),
        pytest.param("s3://bucket/a::file:///etc/passwd", "cannot be read|correct it", id="tail"),
        pytest.param("reference://a", "not read; there are", id="other kind"),
        pytest.param("s3://", "correct it", id="no bucket"),
        pytest.param("s3://a@b/c", "correct it", id="user of a bucket"),
        pytest.param("ftp://bob:secret@example.com/a", "holds a password", id="password"),
        pytest.param("sftp://bob:secret@example.com/a", "holds a password", id="password, ssh"),
        pytest.param("abfs://c@evil.example/a", "correct it", id="host of one's own"),
        pytest.param("abfs://c@evil.example#.dfs.core.windows.net/a", "correct it", id="trick"),
        pytest.param("webdav://example.com/a?b=c", "correct it", id="query"),
        pytest.param("github://shop/policies", "correct it", id="GitHub without a repository"),
        pytest.param("s3://bucket/a\nb", "correct it", id="line break"),
        pytest.param("s3://bucket/" + "a" * 1000, "correct it", id="long"),
    ],
)
def test_an_address_of_another_form_is_refused_at_once(uri: str, message: str) -> None:
    """Each in a sentence, which shows no password."""
    with pytest.raises(SourceError, match=message) as caught:
        open_scanner("address", uri, {}, QUICK)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "name", "known"),
    [
        ("s3://bucket/a", "endpoint_url", "anon, glob, requester_pays"),
        ("s3://bucket/a", "client_kwargs", "anon, glob, requester_pays"),
        ("gs://bucket/a", "token", "anon, glob, project"),
        ("ftp://example.com/a", "host", "it has glob"),
        ("sftp://example.com/a", "password", "it has glob"),
        ("memory://a", "global_store", "it has glob"),
    ],
)
def test_options_that_lead_elsewhere_are_refused(uri: str, name: str, known: str) -> None:
    """Only a few options are passed on, none that names a host, a file or a secret."""
    with pytest.raises(SourceError, match=known):
        open_scanner("address", uri, {name: "http://10.0.0.1/"}, QUICK)


def test_a_host_that_is_not_known_is_told() -> None:
    """It is no address of a private network, only a mistake."""
    with pytest.raises(SourceError, match=r"host of ftp://nowhere\.invalid/a is not known"):
        scan("address", "ftp://nowhere.invalid/a", config=Fetching(resolve=resolver()))


def test_a_server_that_does_not_listen_is_told() -> None:
    """The sentence names the address."""
    with pytest.raises(SourceError, match=r"ftp://127\.0\.0\.1:1/a cannot be read"):
        scan("address", "ftp://127.0.0.1:1/a")
