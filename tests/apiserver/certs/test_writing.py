"""What dind-certs writes, and that it never writes over what it has not read."""

from collections.abc import Callable
from typing import Any

import pytest
from apiserver.certs.installation import CALM, ENDPOINTS, Installation
from certs.api import ConflictError
from kube.controlplane import ControlPlane
from kube.waiting import until

from certs.actions import Bundle, CASecretData, TLSSecretData
from certs.certificates import certificates_in, dns_names
from certs.cluster import Cluster
from certs.issuing import issue_ca, service_names
from certs.parsing import FIELD_MANAGER
from certs.plan import Policy
from certs.rotation import next_action
from certs.state import StoredCA, ca_secret_data

pytestmark = pytest.mark.apiserver


def _ours(configuration: dict[str, Any]) -> Any:
    (fields,) = (
        managed["fieldsV1"]
        for managed in configuration["metadata"]["managedFields"]
        if managed["manager"] == FIELD_MANAGER
    )
    return fields


def test_a_new_installation_is_complete_within_seconds(installation: Installation) -> None:
    with installation.running(*CALM):
        installation.await_peace()
    names = installation.names
    assert [bool(authority.key) for authority in installation.authorities()] == [True]
    leaf = installation.leaf()
    assert leaf is not None
    assert dns_names(leaf) == set(service_names("hook", names.namespace))
    assert set(installation.data(names.tls_secret)) == {"tls.crt", "tls.key", "ca.crt"}


def test_the_secrets_are_typed_and_go_with_our_deployment(installation: Installation) -> None:
    installation.bring_to_rest()
    for name, kind in ((installation.names.ca_secret, "Opaque"), ("hook-tls", "kubernetes.io/tls")):
        secret = installation.secret(name)
        assert secret is not None
        assert secret["type"] == kind
        (owner,) = secret["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"]) == ("Deployment", "hook-certs")


def test_nothing_but_the_bundles_is_ours(installation: Installation) -> None:
    installation.bring_to_rest()
    endpoint: dict[str, Any] = {".": {}, "f:name": {}, "f:clientConfig": {"f:caBundle": {}}}
    entries = {f'k:{{"name":"{name}"}}': endpoint for name in ENDPOINTS}
    assert _ours(installation.registration()) == {"f:webhooks": entries}


def test_another_managers_apply_keeps_our_bundles_and_we_keep_its_fields(
    installation: Installation,
) -> None:
    with installation.running(*CALM) as process:
        installation.await_peace()
        changed = installation.registration()
        for endpoint in changed["webhooks"]:
            del endpoint["clientConfig"]["caBundle"]
            endpoint["timeoutSeconds"] = 7
        changed["metadata"] = {"name": changed["metadata"]["name"]}
        installation.apply(changed, manager="helm")
        process.await_event("waiting")
    assert installation.at_peace()
    assert {endpoint["timeoutSeconds"] for endpoint in installation.registration()["webhooks"]} == {
        7
    }
    assert len(process.events("bundle published")) == 1


def test_two_at_once_end_with_one_authority_and_one_leaf(installation: Installation) -> None:
    with installation.running(*CALM) as one, installation.running(*CALM) as other:
        installation.await_peace()
        for process in (one, other):
            process.await_event("waiting")
    written = one.events("leaf issued") + other.events("leaf issued")
    assert len(installation.authorities()) == 1
    assert len(written) == 2  # both lines are in the log of the folder, which they share
    assert installation.at_peace()


def _change_authorities(installation: Installation) -> None:
    installation.put_data(installation.names.ca_secret, {"note": b""})


def _change_leaf(installation: Installation) -> None:
    installation.put_data(installation.names.tls_secret, {"note": b""})


def _change_registration(installation: Installation) -> None:
    installation.put_bundle(issue_ca(_now(installation)).pem)


def _now(installation: Installation) -> Any:
    with installation.control_plane.api_client() as client:
        return Cluster(client, installation.names).read().now


@pytest.mark.parametrize(
    ("change", "written"),
    [
        (_change_authorities, CASecretData({})),
        (_change_leaf, TLSSecretData({"tls.crt": b"", "tls.key": b""})),
        (_change_registration, Bundle(b"late")),
    ],
    ids=["authorities", "leaf", "bundle"],
)
def test_what_has_changed_since_it_was_read_is_not_written(
    control_plane: ControlPlane,
    installation: Installation,
    change: Callable[[Installation], None],
    written: CASecretData | TLSSecretData | Bundle,
) -> None:
    installation.bring_to_rest()
    with control_plane.api_client() as client:
        cluster = Cluster(client, installation.names)
        snapshot = cluster.read()
        change(installation)
        before = _everything(installation)
        with pytest.raises(ConflictError, match="the object has been modified"):
            cluster.write(written, snapshot)
    assert _everything(installation) == before


@pytest.mark.parametrize(
    "late",
    [CASecretData({}), TLSSecretData({"tls.crt": b"", "tls.key": b""})],
    ids=["authorities", "leaf"],
)
def test_what_was_made_since_it_was_missed_is_not_written(
    control_plane: ControlPlane, installation: Installation, late: CASecretData | TLSSecretData
) -> None:
    with control_plane.api_client() as client:
        cluster = Cluster(client, installation.names)
        snapshot = cluster.read()
        installation.bring_to_rest()
        before = _everything(installation)
        with pytest.raises(ConflictError, match="already exists"):
            cluster.write(late, snapshot)
    assert _everything(installation) == before


def _everything(installation: Installation) -> list[Any]:
    names = installation.names
    return [
        installation.secret(names.ca_secret),
        installation.secret(names.tls_secret),
        installation.registration(),
    ]


def test_time_is_the_api_servers(control_plane: ControlPlane, installation: Installation) -> None:
    """The bundle is dated by the clock that is read, so our own clock may be wrong."""
    policy = Policy(service_names("hook", installation.names.namespace))
    installation.bring_to_rest()
    with control_plane.api_client() as client:
        snapshot, _ = next_action(Cluster(client, installation.names), policy)
    assert snapshot.state.registration is not None
    assert snapshot.state.registration.applied is not None
    assert snapshot.state.registration.applied <= snapshot.now


def test_a_lost_authority_that_a_replica_needs_stays_trusted(installation: Installation) -> None:
    installation.bring_to_rest()
    installation.add_ready_pod()
    (lost,) = installation.authorities()
    installation.delete_secret(installation.names.ca_secret)
    with installation.running("--settle", "1h", "--authority-lifetime", "365d") as process:
        process.await_event("waiting")
        installation.await_peace()
    still, new = installation.authorities()
    assert (still.certificate, still.key) == (lost.certificate, None)
    assert new.key is not None
    for bundle in installation.bundles():
        assert certificates_in(bundle) == (lost.certificate, new.certificate)


def test_an_authority_that_nobody_needs_goes(installation: Installation) -> None:
    installation.bring_to_rest()
    installation.add_ready_pod()
    stranger = issue_ca(_now(installation))
    extra = StoredCA(certificates_in(stranger.pem)[0])
    stored = ca_secret_data([extra, *installation.authorities()])
    installation.put_data(installation.names.ca_secret, stored)
    with installation.running(*CALM):
        until(lambda: len(installation.authorities()) == 1, "one authority")
        installation.await_peace()
