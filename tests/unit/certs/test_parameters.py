from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address

import pytest
from click import BadParameter

from certs.cluster_commands import parse_duration
from certs.issue_command import parse_dns_name, parse_ip_address
from certs.issuing import service_names


def test_a_service_has_three_names_and_the_api_server_calls_the_last() -> None:
    assert service_names("dind-webhook", "ci") == (
        "dind-webhook",
        "dind-webhook.ci",
        "dind-webhook.ci.svc",
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("localhost", "localhost"),
        ("dind-webhook.ci.svc", "dind-webhook.ci.svc"),
        ("LocalHost", "localhost"),
        ("1.example", "1.example"),
        ("a" * 63, "a" * 63),
        (".".join(["a" * 63] * 3 + ["a" * 61]), ".".join(["a" * 63] * 3 + ["a" * 61])),
    ],
    ids=["one-label", "service", "upper-case", "number-first", "label-of-63", "253-in-all"],
)
def test_a_dns_name_is_parsed_as_lower_case(text: str, name: str) -> None:
    assert parse_dns_name(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a_b",
        "-a",
        "a-",
        "a..b",
        "a.",
        "*.example",
        "a b",
        "localhost\n",
        "bücher.example",
        "example.1",
        "256.0.0.1",
        "a" * 64,
        ".".join(["a" * 63] * 3 + ["a" * 62]),
    ],
    ids=[
        "empty",
        "underscore",
        "hyphen-first",
        "hyphen-last",
        "empty-label",
        "trailing-dot",
        "wildcard",
        "space",
        "line-end",
        "not-ascii",
        "number-last",
        "almost-an-address",
        "label-of-64",
        "254-in-all",
    ],
)
def test_a_bad_dns_name_is_reported_with_what_is_accepted(text: str) -> None:
    with pytest.raises(BadParameter, match="is not a DNS name \\(accepted: labels of") as caught:
        parse_dns_name(text)
    assert str(caught.value).startswith(repr(text))


@pytest.mark.parametrize("text", ["127.0.0.1", "::1"])
def test_an_ip_address_is_no_dns_name(text: str) -> None:
    with pytest.raises(BadParameter, match=f"'{text}' is an IP address, not a DNS name"):
        parse_dns_name(text)


def test_both_families_of_addresses_are_parsed() -> None:
    assert parse_ip_address("127.0.0.1") == IPv4Address("127.0.0.1")
    assert parse_ip_address("::1") == IPv6Address("::1")


@pytest.mark.parametrize(
    "text",
    ["", "localhost", "127.1", "127.0.0.1:8443", "10.0.0.0/8", "[::1]", "fe80::1%eth0"],
    ids=["empty", "name", "short", "port", "prefix", "brackets", "zone"],
)
def test_a_bad_address_is_reported_with_what_is_accepted(text: str) -> None:
    with pytest.raises(BadParameter, match="is not an IP address \\(accepted: IPv4") as caught:
        parse_ip_address(text)
    assert str(caught.value).startswith(repr(text))


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("1s", timedelta(seconds=1)),
        ("30m", timedelta(minutes=30)),
        ("12h", timedelta(hours=12)),
        ("3650d", timedelta(days=3650)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "0s", "3651d", "1", "s", "1.5h", "-1s", "1w", "1h30m", " 1s"])
def test_a_bad_duration_is_reported_with_what_is_accepted(text: str) -> None:
    with pytest.raises(BadParameter, match="is not a duration \\(accepted: a whole") as caught:
        parse_duration(text)
    assert str(caught.value).startswith(repr(text))
