"""How each kind of address that fsspec knows is opened, and what may be told about it."""

import ftplib
import importlib
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import fsspec  # type: ignore[import-untyped]

from ingestion.errors import printable
from ingestion.sources import SourceError
from ingestion.sources.choice import shown
from ingestion.sources.guard import Guard

TIMEOUT = 30  # seconds for each answer
MAX_URI = 1_000  # characters

FileSystem = Any  # fsspec has no types
Opened = tuple[FileSystem, str]
"""A file system and the path in it where the source begins."""


@dataclass(frozen=True)
class Kind:
    """How a kind of address is opened, and what may be told about it beside the address."""

    open: Callable[[str, Mapping[str, str], Guard], Opened]
    options: tuple[str, ...] = ()
    form: re.Pattern[str] = re.compile(".*")  # of what follows ://


def _plain(uri: str, options: Mapping[str, str], _guard: Guard) -> Opened:
    """Open what has no host of its own: the package knows where the service is."""
    opened: Opened = fsspec.url_to_fs(uri, **_FRESH, **options)
    return opened


def _s3(uri: str, options: Mapping[str, str], guard: Guard) -> Opened:
    settings: dict[str, Any] = {
        "anon": _yes(options.get("anon", "")),
        "requester_pays": _yes(options.get("requester_pays", "")),
        "config_kwargs": {"connect_timeout": TIMEOUT, "read_timeout": TIMEOUT},
    }
    return _plain(uri, settings, guard)


def _google(uri: str, options: Mapping[str, str], guard: Guard) -> Opened:
    anonymous = {"token": "anon"} if _yes(options.get("anon", "")) else {}
    return _plain(uri, {**anonymous, **_given(options, "project")}, guard)


def _azure(uri: str, options: Mapping[str, str], guard: Guard) -> Opened:
    settings: dict[str, Any] = {"anon": _yes(options.get("anon", "true"))}
    return _plain(uri, {**settings, **_given(options, "account_name")}, guard)


def _ftp(uri: str, _options: Mapping[str, str], guard: Guard) -> Opened:
    """Open an FTP server without a password, at the address that was checked."""
    parts = urlsplit(uri)
    port = parts.port or ftplib.FTP_PORT
    address = guard.addresses(parts.hostname or "", port)[0]
    opened = fsspec.filesystem("ftp", host=address, port=port, timeout=TIMEOUT, **_FRESH)
    return opened, unquote(parts.path) or "/"


def _sftp(uri: str, _options: Mapping[str, str], guard: Guard) -> Opened:
    """Open an SFTP server with the keys of the worker's account, over a checked connection.

    The host's own key must be among those that the account knows, for fsspec would take any.
    """
    parts = urlsplit(uri)
    port = parts.port or SSH_PORT
    fsspec.get_filesystem_class("sftp")  # says what is missing before anything is connected
    connection = guard.connect(parts.hostname or "", port, TIMEOUT)
    opened = fsspec.filesystem(
        "sftp",
        host=parts.hostname,
        port=port,
        username=parts.username,
        sock=connection,
        timeout=TIMEOUT,
        auth_timeout=TIMEOUT,
        host_key_policy=_known_hosts(),
        **_FRESH,
    )
    return opened, unquote(parts.path) or "/"


def _known_hosts() -> object:
    """Return paramiko's policy that refuses hosts whose keys nobody entered."""
    paramiko: Any = importlib.import_module("paramiko")
    known = paramiko.HostKeys()
    for path in (Path("~/.ssh/known_hosts").expanduser(), Path("/etc/ssh/ssh_known_hosts")):
        if path.is_file():
            known.load(str(path))

    class KnownHosts(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]
        def missing_host_key(self, _client: object, hostname: str, key: object) -> None:
            """Called for every key, since the client itself knows none."""
            if not known.check(hostname, key):
                raise SourceError(
                    f"The key of {printable(hostname)} is not known here; enter it with"
                    " ssh-keyscan in known_hosts of the worker's account."
                )

    return KnownHosts()


def _webdav(uri: str, _options: Mapping[str, str], guard: Guard) -> Opened:
    """Open a WebDAV server, over TLS only.

    Its package resolves the name again. A certificate for that name is what keeps a name that
    changes its answer from leading into a private network.
    """
    parts = urlsplit(uri)
    guard.addresses(parts.hostname or "", parts.port or HTTPS_PORT)
    base = f"https://{parts.netloc}"
    return fsspec.filesystem("webdav", base_url=base, timeout=TIMEOUT, **_FRESH), parts.path


SSH_PORT = 22
HTTPS_PORT = 443
_FRESH = {"skip_instance_cache": True}  # and with it what an earlier scan listed
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}(?:/.*)?", re.DOTALL)
_CONTAINER = re.compile(
    r"[a-z0-9$][a-z0-9-]{1,62}"
    r"(?:@[a-z0-9]{3,24}\.(?:dfs|blob)\.core\.windows\.net)?(?:/.*)?",
    re.DOTALL,
)
_HOST = re.compile(
    r"(?:[A-Za-z0-9._-]+@)?(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?(?:/.*)?", re.DOTALL
)
_REPOSITORY = re.compile(r"[\w.-]+:[\w.-]+@[\w.-]*(?:/.*)?", re.DOTALL)
_ANYTHING = re.compile(r"[^@]*", re.DOTALL)
KINDS = {
    "s3": Kind(_s3, ("anon", "requester_pays"), _BUCKET),
    "gs": Kind(_google, ("anon", "project"), _BUCKET),
    "abfs": Kind(_azure, ("account_name", "anon"), _CONTAINER),
    "sftp": Kind(_sftp, (), _HOST),
    "ftp": Kind(_ftp, (), _HOST),
    "webdav": Kind(_webdav, (), _HOST),
    "github": Kind(_plain, (), _REPOSITORY),
    "memory": Kind(_plain, (), _ANYTHING),
}
_ALSO = {"s3a": "s3", "gcs": "gs", "abfss": "abfs", "az": "abfs", "ssh": "sftp", "dav": "webdav"}
_INSTEAD = {
    "file": "watch it as a folder",
    "local": "watch it as a folder",
    "http": "watch it as a web page or a sitemap",
    "https": "watch it as a web page or a sitemap",
    "git": "watch it as a git repository",
}
# Each package has errors of its own; those of packages that are not loaded cannot come.
_ERRORS = (
    ("aiohttp", "ClientError"),
    ("azure.core.exceptions", "AzureError"),
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("gcsfs.retry", "HttpError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("httpx", "HTTPError"),
    ("paramiko", "SSHException"),
    ("webdav4.client", "ClientError"),
)


def protocol_of(uri: str) -> str:
    """Return the kind of an address. Raises SourceError for one that is not read."""
    scheme = uri.partition("://")[0].lower() if "://" in uri else "file"
    protocol = _ALSO.get(scheme, scheme)
    if protocol in _INSTEAD:
        raise SourceError(f"{shown(uri)} is not read as an address; {_INSTEAD[protocol]}.")
    if protocol not in KINDS:
        raise SourceError(
            f"Addresses that begin with {printable(scheme)[:20]}:// are not read; there are"
            f" {', '.join(sorted(KINDS))}."
        )
    return protocol


def check_uri(uri: str, kind: Kind) -> None:
    """Raise SourceError for an address of another form, or one that shows a password."""
    rest = uri.partition("://")[2]
    if kind.form is _HOST and ":" in rest.partition("@")[0] and "@" in rest.partition("/")[0]:
        raise SourceError(
            "The address holds a password, which everybody who sees the source would see; leave"
            " it out."
        )
    chained = "::" in uri or any(c in uri for c in "?#\\")
    if chained or len(uri) > MAX_URI or not kind.form.fullmatch(rest) or printable(uri) != uri:
        raise SourceError(f"{shown(uri)} is not an address that can be read; correct it.")


def package_errors() -> tuple[type[Exception], ...]:
    """Return what the packages that are loaded raise."""
    loaded = ((sys.modules.get(module), name) for module, name in _ERRORS)
    named = tuple(getattr(module, name) for module, name in loaded if module is not None)
    return (OSError, ImportError, ValueError, KeyError, EOFError, ftplib.Error, *named)


def _yes(value: str) -> bool:
    """Return whether an option is switched on. Raises SourceError for another word."""
    if value.lower() not in ("", "true", "false", "yes", "no"):
        raise SourceError(f"“{printable(value)[:20]}” is neither true nor false; change it.")
    return value.lower() in ("true", "yes")


def _given(options: Mapping[str, str], name: str) -> dict[str, str]:
    """Return an option that is a plain name, if it is given. Raises SourceError."""
    value = options.get(name, "")
    if value and not re.fullmatch(
        r"[A-Za-z0-9:.-]{1,100}" if name == "project" else r"[a-z0-9]{3,24}", value
    ):
        raise SourceError(f"The option {name} is not a name of that kind; correct it.")
    return {name: value} if value else {}
