"""The chart's release on a real node: it proves itself, runs with few rights, and goes."""

import json
import sysconfig
from pathlib import Path

import pytest
from kube.access import ADMINISTRATOR_TOKEN, kubeconfig
from kube.waiting import until
from node.cluster import Cluster
from node.holder import NODE_ADDRESS
from node.product import Product
from node.settings import API_PORT

pytestmark = pytest.mark.node

CHECK = Path(sysconfig.get_path("scripts"), "dind-webhook")

# What a container can do, as the kernel tells it.
LOOK = """
import json, os, pathlib
lines = pathlib.Path("/proc/1/status").read_text().splitlines()
status = dict(line.split(":\\t", 1) for line in lines)
try:
    pathlib.Path("/tmp/written").touch()
    writable = True
except OSError as error:
    writable = error.strerror
print(json.dumps({
    "uids": status["Uid"].split(),
    "gids": status["Gid"].split(),
    "capabilities": int(status["CapBnd"], 16),
    "no new privileges": status["NoNewPrivs"],
    "seccomp": status["Seccomp"],
    "writable": writable,
}))
"""
FEW_RIGHTS = {
    "uids": ["65532"] * 4,
    "gids": ["65532"] * 4,
    "capabilities": 0,
    "no new privileges": "1",
    "seccomp": "2",
    "writable": "Read-only file system",
}


def test_helm_test_passes(product: Product) -> None:
    assert "Phase:          Succeeded" in product.helm("test", product.release)


@pytest.mark.parametrize("component", ["webhook", "certificates"])
def test_chart_pods_run_as_non_root_and_cannot_write(product: Product, component: str) -> None:
    pods = product.pods(component)
    assert pods
    for name in pods:
        where = f"--namespace={product.namespace}", name
        answer = product.cluster.kubectl("exec", *where, "--", "python3", "-c", LOOK)
        assert json.loads(answer.stdout) == FEW_RIGHTS


def test_check_reports_no_problem(product: Product) -> None:
    cluster = product.cluster
    access = kubeconfig(
        f"https://{NODE_ADDRESS}:{API_PORT}", cluster.directory / "ca.crt", ADMINISTRATOR_TOKEN
    )
    file = cluster.directory / "on-node.kubeconfig"
    file.write_text(json.dumps(access))
    # On the node, because it looks at the certificate that each pod serves.
    report = json.loads(cluster.on_node(CHECK, "check", f"--kubeconfig={file}", "-o", "json"))
    findings = report["findings"]
    assert {finding["status"] for finding in findings} == {"ok"}
    messages = [finding["message"] for finding in findings if finding["check"] == "endpoints"]
    assert messages == ["2 ready"]


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("product")
def test_serving_pods_run_in_the_network_of_the_node_and_with_more_volumes(
    cluster: Cluster,
) -> None:
    """A second release, whose values together change most of the serving pod."""
    second = Product(cluster, "dind-webhook-more")
    values = {
        "replicaCount": 1,
        "webhook.hostNetwork": True,
        "webhook.port": 10260,
        "webhook.adminPort": 10261,
        "webhook.matchConditions": [{"name": "real", "expression": "true"}],
        "serviceAccount.name": "own",
        "podSecurityContext.fsGroup": 65532,
        "extraArgs": ["--quiet-period=1"],
        "extraEnv": [{"name": "MORE", "value": "more"}],
        "extraVolumes": [{"name": "more", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
    }
    second.install(*[f"--set-json={key}={json.dumps(value)}" for key, value in values.items()])
    try:
        assert "Phase:          Succeeded" in second.helm("test", second.release)
        (name,) = second.pods()
        where = f"--namespace={second.namespace}", name
        pod = json.loads(cluster.kubectl("get", "pod", *where, "--output=json").stdout)
        assert pod["status"]["podIP"] == pod["status"]["hostIP"]
        assert pod["spec"]["serviceAccountName"] == "own"
        written = cluster.kubectl(
            "exec", *where, "--", "sh", "-c", "echo $MORE >/more/file; ls /more"
        )
        assert written.stdout == "file\n"
    finally:
        second.helm("uninstall", second.release)


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("product")
def test_uninstall_leaves_nothing_behind(cluster: Cluster) -> None:
    """A second release beside the first, in a namespace that Helm need not create."""
    second = Product(cluster, "dind-webhook-second")
    cluster.create_namespace(second.namespace)
    kinds = cluster.kubectl("api-resources", "--verbs=list,delete", "--output=name").stdout.split()
    before = objects(cluster, kinds)
    second.install()
    made = objects(cluster, kinds) - before
    assert f"mutatingwebhookconfiguration.admissionregistration.k8s.io/{second.release}" in made

    second.helm("uninstall", second.release)

    until(lambda: not objects(cluster, kinds) & made, f"the end of {made}", seconds=180)


def objects(cluster: Cluster, kinds: list[str]) -> set[str]:
    """Everything that is stored, by kind and name; not the events, which stay for an hour."""
    lasting = ",".join(kind for kind in kinds if not kind.startswith("events"))
    listed = cluster.kubectl("get", lasting, "--all-namespaces", "--output=name")
    return set(listed.stdout.split())
