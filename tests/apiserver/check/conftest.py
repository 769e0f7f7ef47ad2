"""One installation for all tests of this directory; a test that breaks it repairs it."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from apiserver.chart.helm import FULLNAME
from apiserver.chart.helm import settings as flags
from apiserver.check import podnetwork
from apiserver.product import Installed, installed_product, product_cluster
from kube.controlplane import ControlPlane
from kube.registration import CONFIGURATIONS
from kube.standin import NODE
from kube.standin_pod import NETWORK, Settings
from kube.waiting import until

READER = "reader"
UNPRIVILEGED = {"isolation": "userNamespace", "runtimeClassName": "dind-userns"}
MERGE = {"Content-Type": "application/merge-patch+json"}
_SUBJECT = {"kind": "ServiceAccount", "name": READER, "namespace": "default"}
_THROUGH_NETWORK = [sys.executable, podnetwork.__file__, NETWORK]
_CONFIGURATION = f"{CONFIGURATIONS}/{FULLNAME}"


@pytest.fixture(scope="package")
def cluster() -> Iterator[ControlPlane]:
    with product_cluster() as running:
        yield running


@pytest.fixture(scope="package")
def installed(
    cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    """The chart with F-reader and user namespaces, and without the policy on injected pods."""
    settings = Settings(
        environment={"DIND_CERTS_RESYNC_INTERVAL": "1s", "DIND_WEBHOOK_POLL_INTERVAL": "0.5"},
        programs={"dind-certs": [*_THROUGH_NETWORK, "dind-certs"]},
        pod_ips=podnetwork.POD_IPS,
    )
    # Without the policy, which keeps tests from editing the annotation dind.io/status.
    checker = {
        "rbac.reader.create": "true",
        "rbac.reader.subjects": json.dumps([_SUBJECT]),
        "podPolicy.enabled": "false",
        "config.profiles.unprivileged": json.dumps(UNPRIVILEGED),
        "userNamespaces.runtimeClass.create": "true",
    }
    directory = tmp_path_factory.mktemp("product")
    label_node(cluster, "true")
    with installed_product(cluster, settings, directory, *flags(checker)) as product:
        product.cluster.client.post(
            "/api/v1/namespaces/default/serviceaccounts", json={"metadata": {"name": READER}}
        ).raise_for_status()
        yield product


@pytest.fixture(scope="package")
def reader(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kubeconfig of the account that has the role F-reader, and no other."""
    client = installed.cluster.client
    answer = client.post(
        f"/api/v1/namespaces/default/serviceaccounts/{READER}/token", json={}
    ).raise_for_status()
    access = json.loads(installed.cluster.kubeconfig.read_text())
    access["users"][0]["user"] = {"token": answer.json()["status"]["token"]}
    path = tmp_path_factory.mktemp("reader") / "kubeconfig"
    path.write_text(json.dumps(access))
    return path


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(reader: Path) -> Run:
    """Runs a command as a user who has no more rights than the role."""

    def run(command: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [
                *(*_THROUGH_NETWORK, "dind-webhook", command),
                *(f"--kubeconfig={reader}", *arguments),
            ],
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def healthy(installed: Installed, run: Run) -> Iterator[Installed]:
    """The installation, healthy before the test and after it."""
    _await_health(run)
    yield installed
    _await_health(run)


def _await_health(run: Run) -> None:
    try:
        until(lambda: run("check").returncode == 0, "a healthy installation", seconds=60)
    except TimeoutError as late:
        result = run("check")
        late.add_note(result.stdout + result.stderr)
        raise


@pytest.fixture
def unrepaired(healthy: Installed) -> Iterator[Installed]:
    """The rotation does not run during the test."""
    healthy.scale(f"{FULLNAME}-certs", 0)
    until(lambda: not healthy.node.of("certificates"), "the rotation to end", seconds=30)
    yield healthy
    healthy.scale(f"{FULLNAME}-certs", 1)


@contextmanager
def changed_configuration(
    installed: Installed, change: Callable[[list[dict[str, Any]]], object]
) -> Iterator[None]:
    """Changes the webhooks of the MutatingWebhookConfiguration, and restores them."""
    client = installed.cluster.client
    before = client.get(_CONFIGURATION).raise_for_status().json()
    after = json.loads(json.dumps(before))
    change(after["webhooks"])
    client.put(_CONFIGURATION, json=after).raise_for_status()
    try:
        yield
    finally:
        current = client.get(_CONFIGURATION).raise_for_status().json()
        restored = current | {"webhooks": before["webhooks"]}
        client.put(_CONFIGURATION, json=restored).raise_for_status()


@contextmanager
def no_configuration(installed: Installed) -> Iterator[None]:
    """Deletes the MutatingWebhookConfiguration, and creates it again."""
    client = installed.cluster.client
    before = client.get(_CONFIGURATION).raise_for_status().json()
    client.delete(_CONFIGURATION).raise_for_status()
    try:
        yield
    finally:
        metadata = {key: before["metadata"][key] for key in ("name", "labels")}
        again = before | {"metadata": metadata}
        client.post(CONFIGURATIONS, json=again).raise_for_status()


@contextmanager
def new_namespace(installed: Installed, labels: Mapping[str, str] | None = None) -> Iterator[str]:
    """A namespace; its labels go when the block ends, and so does what `check` says of it."""
    name = f"test-{uuid4().hex[:8]}"
    installed.cluster.create_namespace(name, labels)
    try:
        yield name
    finally:
        label_namespace(installed, name, {"dind.io/inject": None})


def label_namespace(installed: Installed, name: str, labels: Mapping[str, str | None]) -> None:
    """Labels a namespace."""
    installed.cluster.client.patch(
        f"/api/v1/namespaces/{name}", json={"metadata": {"labels": labels}}, headers=MERGE
    ).raise_for_status()


def label_node(cluster: ControlPlane, value: str | None) -> None:
    """Sets or removes the label of the node check."""
    labels = {"dind.io/user-namespaces": value}
    cluster.client.patch(
        f"/api/v1/nodes/{NODE}", json={"metadata": {"labels": labels}}, headers=MERGE
    ).raise_for_status()


def steady(text: str) -> str:
    """Replaces what differs from run to run."""
    text = re.sub(r"v1\.\d+\.\d+\S*", "v1.N", text)
    text = re.sub(r"\d{4}-\d\d-\d\d\s+\d\d:\d\d:\d\d\s+UTC", "TIME", text)
    text = re.sub(r"\bCA [0-9a-f:]+ valid", "CA valid", text)
    return re.sub(rf"{FULLNAME}-[0-9a-z]+-[0-9a-z]+", "POD", text)
