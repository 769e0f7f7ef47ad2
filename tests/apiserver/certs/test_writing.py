"""What dind-certs writes, and that it never writes over what it has not read."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from apiserver.certs.installation import ENDPOINTS, FLAGS, PATIENCE, Installation
from kube.controlplane import ControlPlane
from kube.waiting import until

from certs.certificates import certificates_in, dns_names
from certs.cluster import Cluster, ConflictError
from certs.issuing import issue_ca, service_names
from certs.loop import next_action
from certs.model import (
    IssueServingCertificate,
    PublishCABundle,
    RotationPolicy,
    StoreCAs,
    StoredCA,
    Write,
)
from certs.objects import FIELD_MANAGER, ca_secret_data

pytestmark = pytest.mark.apiserver

_POLICY = RotationPolicy(("hook",))
_ISSUED = issue_ca(datetime.now(UTC))
_LATE_CA = StoredCA(certificates_in(_ISSUED.pem)[0], _ISSUED.key)


def _ours(configuration: dict[str, Any]) -> Any:
    (fields,) = (
        managed["fieldsV1"]
        for managed in configuration["metadata"]["managedFields"]
        if managed["manager"] == FIELD_MANAGER
    )
    return fields


def test_a_new_installation_is_complete_within_seconds(installation: Installation) -> None:
    with installation.running(*FLAGS):
        installation.await_consistency()
    names = installation.names
    assert [bool(ca.key) for ca in installation.cas()] == [True]
    serving = installation.serving_certificate()
    assert serving is not None
    assert dns_names(serving) == set(service_names("hook", names.namespace))
    assert set(installation.data(names.tls_secret)) == {"tls.crt", "tls.key", "ca.crt"}


def test_the_secrets_are_typed_and_owned_by_the_deployment(installation: Installation) -> None:
    installation.bring_up_to_date()
    for name, kind in ((installation.names.ca_secret, "Opaque"), ("hook-tls", "kubernetes.io/tls")):
        secret = installation.secret(name)
        assert secret is not None
        assert secret["type"] == kind
        (owner,) = secret["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"]) == ("Deployment", "hook-certs")


def test_dind_certs_owns_nothing_but_ca_bundle(installation: Installation) -> None:
    installation.bring_up_to_date()
    endpoint: dict[str, Any] = {".": {}, "f:name": {}, "f:clientConfig": {"f:caBundle": {}}}
    entries = {f'k:{{"name":"{name}"}}': endpoint for name in ENDPOINTS}
    assert _ours(installation.webhook_configuration()) == {"f:webhooks": entries}


def test_another_managers_apply_keeps_ca_bundle_and_its_own_fields(
    installation: Installation,
) -> None:
    with installation.running(*FLAGS) as process:
        installation.await_consistency()
        changed = installation.webhook_configuration()
        for endpoint in changed["webhooks"]:
            del endpoint["clientConfig"]["caBundle"]
            endpoint["timeoutSeconds"] = 7
        changed["metadata"] = {"name": changed["metadata"]["name"]}
        installation.apply(changed, manager="helm")
        process.await_event("waiting")
    assert installation.is_consistent()
    assert {
        endpoint["timeoutSeconds"] for endpoint in installation.webhook_configuration()["webhooks"]
    } == {7}
    assert len(process.events("caBundle published")) == 1


def test_two_processes_issue_one_ca_and_one_serving_certificate(installation: Installation) -> None:
    with installation.running(*FLAGS) as one, installation.running(*FLAGS) as other:
        installation.await_consistency()
        for process in (one, other):
            process.await_event("waiting")
    written = one.events("serving certificate issued") + other.events("serving certificate issued")
    assert len(installation.cas()) == 1
    assert len(written) == 2  # both processes write to the same log
    assert installation.is_consistent()


def _change_ca_secret(installation: Installation) -> None:
    installation.put_data(installation.names.ca_secret, {"note": b""})


def _change_tls_secret(installation: Installation) -> None:
    installation.put_data(installation.names.tls_secret, {"note": b""})


def _change_webhook_configuration(installation: Installation) -> None:
    installation.put_ca_bundle(issue_ca(_now(installation)).pem)


def _now(installation: Installation) -> Any:
    with installation.control_plane.api_client() as client:
        return Cluster(client, installation.names).read().now


@pytest.mark.parametrize(
    ("change", "late"),
    [
        (_change_ca_secret, StoreCAs((), "late")),
        (_change_tls_secret, IssueServingCertificate(_LATE_CA, "late")),
        (_change_webhook_configuration, PublishCABundle(b"late", "late")),
    ],
    ids=["CA Secret", "TLS Secret", "caBundle"],
)
def test_what_has_changed_since_it_was_read_is_not_written(
    control_plane: ControlPlane,
    installation: Installation,
    change: Callable[[Installation], None],
    late: Write,
) -> None:
    installation.bring_up_to_date()
    with control_plane.api_client() as client:
        cluster = Cluster(client, installation.names)
        snapshot = cluster.read()
        change(installation)
        before = _everything(installation)
        with pytest.raises(ConflictError, match="the object has been modified"):
            cluster.write(late, snapshot, _POLICY)
    assert _everything(installation) == before


@pytest.mark.parametrize(
    "late",
    [StoreCAs((), "late"), IssueServingCertificate(_LATE_CA, "late")],
    ids=["CA Secret", "TLS Secret"],
)
def test_an_object_created_since_it_was_missed_is_not_written(
    control_plane: ControlPlane, installation: Installation, late: Write
) -> None:
    with control_plane.api_client() as client:
        cluster = Cluster(client, installation.names)
        snapshot = cluster.read()
        installation.bring_up_to_date()
        before = _everything(installation)
        with pytest.raises(ConflictError, match="already exists"):
            cluster.write(late, snapshot, _POLICY)
    assert _everything(installation) == before


def _everything(installation: Installation) -> list[Any]:
    names = installation.names
    return [
        installation.secret(names.ca_secret),
        installation.secret(names.tls_secret),
        installation.webhook_configuration(),
    ]


def test_time_is_that_of_the_api_server(
    control_plane: ControlPlane, installation: Installation
) -> None:
    """A caBundle is dated by the clock that is read, so the own clock may be wrong."""
    policy = RotationPolicy(service_names("hook", installation.names.namespace))
    installation.bring_up_to_date()
    with control_plane.api_client() as client:
        snapshot, _ = next_action(Cluster(client, installation.names), policy)
    assert snapshot.state.webhooks is not None
    assert snapshot.state.webhooks.published is not None
    assert snapshot.state.webhooks.published <= snapshot.now


def test_a_lost_ca_that_a_replica_needs_stays_trusted(installation: Installation) -> None:
    installation.bring_up_to_date()
    installation.add_ready_pod()
    (lost,) = installation.cas()
    installation.delete_secret(installation.names.ca_secret)
    with installation.running("--propagation-delay", "1h") as process:
        process.await_event("waiting")
        installation.await_consistency()
    still, new = installation.cas()
    assert (still.certificate, still.key) == (lost.certificate, None)
    assert new.key is not None
    for pem in installation.ca_bundles():
        assert certificates_in(pem) == (lost.certificate, new.certificate)


def test_a_ca_that_no_replica_needs_is_removed(installation: Installation) -> None:
    installation.bring_up_to_date()
    installation.add_ready_pod()
    foreign = issue_ca(_now(installation))
    extra = StoredCA(certificates_in(foreign.pem)[0])
    stored = ca_secret_data([extra, *installation.cas()])
    installation.put_data(installation.names.ca_secret, stored)
    with installation.running(*FLAGS):
        until(lambda: len(installation.cas()) == 1, "one CA", seconds=PATIENCE)
        installation.await_consistency()
