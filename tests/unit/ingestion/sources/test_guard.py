"""Which hosts are connected to."""

import ipaddress
import socket
from typing import Any

import pytest

from ingestion.sources.guard import Guard, GuardedPool, RefusedHostError, is_public
from tests.unit.ingestion.sources.places import resolver, served


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("127.0.0.1", id="this machine"),
        pytest.param("10.1.2.3", id="private"),
        pytest.param("172.31.0.1", id="private, middle"),
        pytest.param("192.168.1.1", id="private, home"),
        pytest.param("169.254.169.254", id="metadata"),
        pytest.param("168.63.129.16", id="Azure's metadata on a public address"),
        pytest.param("100.64.0.1", id="carrier's translation"),
        pytest.param("100.100.100.200", id="Alibaba's metadata"),
        pytest.param("0.0.0.0", id="unspecified"),  # noqa: S104 - refused
        pytest.param("0.1.2.3", id="this network"),
        pytest.param("224.0.0.1", id="multicast"),
        pytest.param("240.0.0.1", id="reserved"),
        pytest.param("255.255.255.255", id="broadcast"),
        pytest.param("192.0.2.1", id="for samples"),
        pytest.param("192.88.99.1", id="6to4 relay"),
        pytest.param("198.18.0.1", id="for measurements"),
        pytest.param("::1", id="this machine, IPv6"),
        pytest.param("::", id="unspecified, IPv6"),
        pytest.param("fe80::1", id="link-local"),
        pytest.param("fe80::1%eth0", id="link-local with its zone"),
        pytest.param("fc00::1", id="unique local"),
        pytest.param("fd00:ec2::254", id="metadata, IPv6"),
        pytest.param("fec0::1", id="site-local"),
        pytest.param("ff02::1", id="multicast, IPv6"),
        pytest.param("::ffff:127.0.0.1", id="mapped"),
        pytest.param("::ffff:8.8.8.8", id="mapped, though public inside"),
        pytest.param("::127.0.0.1", id="compatible"),
        pytest.param("2002:7f00:1::", id="6to4"),
        pytest.param("2001::1", id="Teredo"),
        pytest.param("2001:db8::1", id="for samples, IPv6"),
        pytest.param("64:ff9b::7f00:1", id="NAT64 of this machine"),
        pytest.param("64:ff9b::a9fe:a9fe", id="NAT64 of the metadata"),
        pytest.param("64:ff9b:1::808:808", id="local NAT64"),
    ],
)
def test_addresses_inside_networks_are_not_public(address: str) -> None:
    """Every kind of address that not everybody can reach is told apart."""
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::6810:84e5", "64:ff9b::808:808"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    """Ordinary addresses pass, and those of IPv4 hosts as IPv6 networks write them."""
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("127.0.0.1", id="plain"),
        pytest.param("localhost", id="by name"),
        pytest.param("2130706433", id="one number"),
        pytest.param("0x7f000001", id="hexadecimal"),
        pytest.param("0177.0.0.1", id="octal"),
        pytest.param("127.1", id="short"),
        pytest.param("0", id="zero"),
        pytest.param("[::1]", id="IPv6"),
        pytest.param("[::ffff:7f00:1]", id="mapped"),
        pytest.param("metadata.google.internal", id="metadata by name"),
        pytest.param("METADATA.google.internal.", id="metadata by name, written otherwise"),
    ],
)
def test_hosts_written_in_other_ways_are_refused_too(host: str) -> None:
    """What counts is the address that the host stands for, not how it is written."""
    with pytest.raises(RefusedHostError, match="not on the public internet"):
        Guard().addresses(host, 80)


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    """All answers for a name are judged, since any of them might be connected to."""

    def resolve(*_: Any) -> list[Any]:
        return [(2, 1, 6, "", (address, 80)) for address in ("93.184.216.34", "10.0.0.1")]

    with pytest.raises(RefusedHostError):
        Guard(resolve=resolve).addresses("mixed.example", 80)


@pytest.mark.parametrize(
    ("allowed", "passes"),
    [
        pytest.param("wiki.corp", True, id="the host"),
        pytest.param("wiki.corp:8080", True, id="host and port"),
        pytest.param("WIKI.corp", True, id="in capitals"),
        pytest.param("wiki.corp:80", False, id="another port"),
        pytest.param("corp", False, id="the domain only"),
        pytest.param("10.0.0.7", False, id="the address, which the name was not given as"),
    ],
)
def test_the_operator_allows_hosts_by_name_or_with_their_port(allowed: str, passes: bool) -> None:
    """A private host is read where exactly it is allowed."""
    guard = Guard(frozenset({allowed}), resolver(wiki_corp="10.0.0.7"))
    if passes:
        assert guard.addresses("wiki.corp.", 8080) == ["10.0.0.7"]
    else:
        with pytest.raises(RefusedHostError):
            guard.addresses("wiki.corp", 8080)


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254"])
def test_metadata_is_refused_even_if_the_host_is_allowed(address: str) -> None:
    """A name that the operator trusts must not lead to the machine's credentials."""
    guard = Guard(frozenset({"wiki.corp"}), resolver(wiki_corp=address))
    with pytest.raises(RefusedHostError):
        guard.addresses("wiki.corp", 80)


def test_an_ipv6_host_is_allowed_with_or_without_brackets() -> None:
    """Brackets belong to addresses, not to hosts."""
    assert Guard(frozenset({"[::1]:8080"})).addresses("[::1]", 8080) == ["::1"]


def test_a_connection_goes_to_the_address_that_was_checked() -> None:
    """A name that changes its answer is asked once for a connection, so the second is unused."""
    answers = ["127.0.0.1", "10.0.0.1"]
    with served() as site:
        site.page("/", "hello")
        guard = Guard(frozenset({"site.test"}), resolver(site_test=answers))
        with GuardedPool(guard) as pool:
            answer = pool.request("GET", f"http://site.test:{site.port}/", retries=False)
            assert answer.data == b"hello"
    assert answers == ["10.0.0.1"]
    assert site.asked[0].headers["host"] == f"site.test:{site.port}"


def test_a_name_that_turns_private_is_refused_at_the_next_connection() -> None:
    """Each new connection is judged by the answer that it uses."""
    guard = Guard(resolve=resolver(site_test=["93.184.216.34", "127.0.0.1"]))
    assert guard.addresses("site.test", 80) == ["93.184.216.34"]
    with GuardedPool(guard) as pool, pytest.raises(RefusedHostError):
        pool.request("GET", "http://site.test/", retries=False)


def test_an_unknown_name_is_no_refusal() -> None:
    """A name that is not known stays an error of resolving."""
    with pytest.raises(socket.gaierror):
        Guard(resolve=resolver()).addresses("nowhere.example", 80)


def test_a_host_with_an_empty_label_is_an_unknown_name() -> None:
    """Hosts that no resolver takes do not crash the scan."""
    with pytest.raises(socket.gaierror):
        Guard().addresses("a..b", 80)
