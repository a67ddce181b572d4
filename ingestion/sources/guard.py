"""Connections that reach public addresses only: a name is resolved once, judged, and used.

The check stands where the connection is made, so neither a redirect nor a name whose answer
changes between check and use gets around it. Proxies from the environment are not used.
"""

import contextlib
import functools
import ipaddress
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast
from weakref import WeakSet

from urllib3 import HTTPConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from ingestion.errors import printable
from ingestion.sources import Resolver, SourceError

MAX_ADDRESSES = 4  # of one name that are tried; each may take the whole timeout
POOLS = 16  # hosts to which connections are kept

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Where machines of a cloud get credentials from. Nobody keeps policies there, so these are
# refused even if the operator allows the host. Some are public or shared addresses.
METADATA_NAMES = frozenset(
    ["metadata", "metadata.google.internal", "metadata.goog", "instance-data"]
)
METADATA = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "169.254.169.254", "169.254.170.2", "169.254.170.23",  # AWS, Azure, Google, Oracle …
        "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",  # the same over IPv6
        "100.100.100.200", "168.63.129.16", "192.0.0.192",  # Alibaba, Azure, Oracle
    )
)  # fmt: skip

# Within what `is_global` calls global, or older Pythons do; sources: IANA's registries of
# special-purpose addresses, RFC 6890 and its successors.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",  # carriers' translation
        "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4",
        "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",  # Teredo, samples, 6to4
    )
)  # fmt: skip
_UNICAST6 = ipaddress.ip_network("2000::/3")
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # NAT64: an IPv4 address at the end


class RefusedHostError(SourceError):
    """The host has an address that is not public, and the operator does not allow it."""


def is_public(address: IPAddress) -> bool:
    """Return whether an address is one that anybody on the internet can reach."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _TRANSLATED:
            return is_public(ipaddress.IPv4Address(address.packed[-4:]))
        if address.scope_id or address not in _UNICAST6:
            return False
    special = address.is_multicast or address.is_reserved or address.is_unspecified
    return (
        address.is_global
        and not special
        and address not in METADATA
        and not any(address in network for network in _NOT_PUBLIC)
    )


@dataclass(frozen=True)
class Guard:
    """Resolves names to addresses that may be connected to.

    `allowed` holds hosts or `host:port` in private networks that the operator lets sources use.
    """

    allowed: frozenset[str] = frozenset()
    resolve: Resolver = socket.getaddrinfo

    def addresses(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host, in the order of the resolver's answer.

        Raises RefusedHostError if one of them is not public, socket.gaierror for a name that is
        not known.
        """
        name = plain_host(host)
        if name in METADATA_NAMES:
            raise _refused(name)
        found = [_address(answer[4][0]) for answer in self._resolved(host, port)]
        allowed = name in self._allowed or f"{name}:{port}" in self._allowed
        for address in found:
            if _inner(address) in METADATA or not (allowed or is_public(address)):
                raise _refused(name)
        return [str(address) for address in dict.fromkeys(found)][:MAX_ADDRESSES]

    def connect(self, host: str, port: int, timeout: float) -> socket.socket:
        """Return a connection to a host's checked address. Raises like `addresses`, OSError."""
        failure = OSError("no address")
        for address in self.addresses(host, port):
            try:
                return socket.create_connection((address, port), timeout)
            except OSError as error:
                failure = error
        raise failure

    def _resolved(self, host: str, port: int) -> list[Any]:
        try:
            return self.resolve(host.strip("[]"), port, 0, socket.SOCK_STREAM)
        except UnicodeError:  # an empty or overlong label
            raise socket.gaierror(socket.EAI_NONAME, "no such name") from None

    @functools.cached_property
    def _allowed(self) -> frozenset[str]:
        return frozenset(host.lower().replace("[", "").replace("]", "") for host in self.allowed)


def plain_host(host: str) -> str:
    """Return a host's name in lower case, without brackets or a dot at its end."""
    return host.lower().strip("[]").rstrip(".")


def _address(written: str) -> IPAddress:
    """Return the resolver's answer as an address; the zone of a link-local one stays with it."""
    return ipaddress.ip_address(written)


def _inner(address: IPAddress) -> IPAddress:
    """Return the IPv4 address that an IPv6 address stands for, else the address itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _TRANSLATED:
            return ipaddress.IPv4Address(address.packed[-4:])
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _refused(name: str) -> RefusedHostError:
    return RefusedHostError(
        f"{printable(name)} is not on the public internet; an operator can allow it with"
        " FOOTNOTE_SOURCE_HOSTS."
    )


class _Guarded:
    """Makes urllib3's connections go to checked addresses; the host's name stays for TLS."""

    guard: Guard
    _dns_host: str
    port: int

    def _new_conn(self) -> socket.socket:
        name = self._dns_host
        host = cast(HTTPConnection, self)
        try:
            addresses = self.guard.addresses(name, self.port)
        except socket.gaierror as error:
            raise NameResolutionError(name, host, error) from error
        failure: Exception = NewConnectionError(host, "there is no address")
        for address in addresses:
            self._dns_host = address
            try:
                return cast(socket.socket, super()._new_conn())  # type: ignore[misc]
            except (NewConnectionError, ConnectTimeoutError) as error:
                failure = error
            finally:
                self._dns_host = name
        raise failure


class _PlainConnection(_Guarded, HTTPConnection):
    """A guarded connection without encryption."""


class _EncryptedConnection(_Guarded, HTTPSConnection):
    """A guarded connection with TLS, checked against the host's name."""


class GuardedPool(PoolManager):
    """Keeps connections that were made through a guard, and can end them all at a deadline."""

    def __init__(self, guard: Guard, **settings: Any) -> None:
        super().__init__(num_pools=POOLS, **settings)
        self._guard = guard
        self._connections: WeakSet[Any] = WeakSet()
        self._sockets: WeakSet[socket.socket] = WeakSet()

    def connect(self, host: str, port: int, timeout: float) -> socket.socket:
        """Return a bare connection, which the deadline ends like the others.

        Raises RefusedHostError, OSError.
        """
        made = self._guard.connect(host, port, timeout)
        self._sockets.add(made)
        return made

    def _new_pool(self, scheme: str, *args: Any, **settings: Any) -> HTTPConnectionPool:
        pool = super()._new_pool(scheme, *args, **settings)
        made = _EncryptedConnection if scheme == "https" else _PlainConnection

        def connection(*args: Any, **settings: Any) -> HTTPConnection:
            new = made(*args, **settings)
            new.guard = self._guard
            self._connections.add(new)
            return new

        pool.ConnectionCls = connection  # type: ignore[assignment]
        return pool

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[threading.Event]:
        """End all connections when the time is up; the event then says so.

        A server that sends a byte now and then keeps within every timeout of a single read.
        """
        over = threading.Event()

        def end() -> None:
            over.set()
            self._cut()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield over
        finally:
            timer.cancel()
            timer.join()

    def _cut(self) -> None:
        open_now = [connection.sock for connection in list(self._connections)]
        for sock in (*open_now, *self._sockets):
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
