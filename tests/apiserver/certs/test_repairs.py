"""Mishaps: `dind-certs show` names each, and `dind-certs run` repairs it within seconds."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from apiserver.certs.installation import CALM, ENDPOINTS, Installation

from certs.issuing import issue_ca, issue_serving_certificate

pytestmark = pytest.mark.apiserver

NOW = datetime.now(UTC)


def _wipe_bundle(installation: Installation) -> None:
    installation.put_bundle(b"")


def _overwrite_bundle(installation: Installation) -> None:
    installation.put_bundle(issue_ca(NOW).pem)


def _damage_bundle(installation: Installation) -> None:
    installation.put_bundle(b"no certificate")


def _delete_leaf(installation: Installation) -> None:
    installation.delete_secret(installation.names.tls_secret)


def _half_write_leaf(installation: Installation) -> None:
    installation.put_data(installation.names.tls_secret, {"tls.key": b""})


def _mix_leaf(installation: Installation) -> None:
    authority = issue_ca(NOW)
    other = issue_serving_certificate(authority, NOW, dns_names=["hook"])
    installation.put_data(installation.names.tls_secret, {"tls.key": other.key})


def _foreign_leaf(installation: Installation) -> None:
    authority = issue_ca(NOW)
    leaf = issue_serving_certificate(authority, NOW, dns_names=["hook"])
    foreign = {"tls.crt": leaf.pem, "tls.key": leaf.key, "ca.crt": authority.pem}
    installation.put_data(installation.names.tls_secret, foreign)


def _delete_authorities(installation: Installation) -> None:
    installation.delete_secret(installation.names.ca_secret)


def _lose_authoritys_key(installation: Installation) -> None:
    installation.put_data(installation.names.ca_secret, {"1.key": b""})


def _damage_authority(installation: Installation) -> None:
    installation.put_data(installation.names.ca_secret, {"1.crt": b"damaged"})


MISHAPS = {
    "wiped bundle": (_wipe_bundle, f"publish the bundle: {ENDPOINTS[0]} trusts nobody"),
    "foreign bundle": (_overwrite_bundle, "keep the authorities"),
    "damaged bundle": (_damage_bundle, f"publish the bundle: {ENDPOINTS[0]} trusts something else"),
    "deleted leaf": (_delete_leaf, "it is missing"),
    "half-written leaf": (_half_write_leaf, "it has no tls.key"),
    "another leaf's key": (_mix_leaf, "it has a tls.key that does not belong to its tls.crt"),
    "foreign leaf": (_foreign_leaf, "it does not come from a stored authority"),
    "deleted authorities": (_delete_authorities, "add an authority: no key of the newest one"),
    "lost key": (_lose_authoritys_key, "add an authority: no key of the newest one is stored"),
    "damaged authority": (_damage_authority, "add an authority: no key of the newest one"),
}


@pytest.mark.parametrize(("cause", "named"), MISHAPS.values(), ids=MISHAPS)
def test_a_mishap_is_named_while_it_lasts_and_can_be_repaired(
    installation: Installation, cause: Callable[[Installation], None], named: str
) -> None:
    installation.bring_to_rest()

    cause(installation)

    shown = installation.show()
    assert named in shown.stdout, shown.stdout + shown.stderr
    assert shown.returncode == 1
    installation.bring_to_rest()
    assert installation.at_peace()


@pytest.mark.parametrize(("cause", "_named"), MISHAPS.values(), ids=MISHAPS)
def test_a_mishap_is_seen_and_repaired_at_once(
    installation: Installation, cause: Callable[[Installation], None], _named: str
) -> None:
    """The next tick is an hour away: a watch tells."""
    with installation.running(*CALM) as process:
        installation.await_peace()
        process.await_event("waiting")
        cause(installation)
        installation.await_peace()


def test_a_registration_that_comes_late_is_seen_at_once(installation: Installation) -> None:
    installation.uninstall()
    with installation.running(*CALM) as process:
        process.await_event("waiting")
        assert installation.leaf() is None
        installation.install_registration()
        installation.await_peace()
