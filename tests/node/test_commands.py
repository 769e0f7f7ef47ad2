"""The commands of README and docs, in the order in which an administrator could need them."""

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kube.access import ADMINISTRATOR_TOKEN, kubeconfig
from kube.waiting import until
from node.cluster import Cluster
from node.doing import in_container, restarts, start
from node.holder import NODE_ADDRESS
from node.images import CLI
from node.pods import create, pod
from node.product import Product
from node.settings import API_PORT
from pages import ROOT, Block, in_order

from tools.build import ensure

pytestmark = [pytest.mark.node, pytest.mark.timeout(1200)]

# What is true of this cluster only, and the words in capitals that stand for names.
SUBSTITUTES = {
    "--set image.repository=registry.example.com/ci/dind-webhook": "",
    "POD": "job",
    "NAMESPACE": "default",
}


class Shell:
    """Runs commands on the node, with the programs that an administrator has."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self._cluster = cluster
        self._directory = directory
        programs = directory / "bin"
        programs.mkdir()
        for tool in ("helm", "kubectl"):
            (programs / tool).symlink_to(ensure(tool))
        (programs / "dind-webhook").symlink_to(Path(sysconfig.get_path("scripts"), "dind-webhook"))
        server = f"https://{NODE_ADDRESS}:{API_PORT}"
        access = kubeconfig(server, cluster.directory / "ca.crt", ADMINISTRATOR_TOKEN)
        (directory / "kubeconfig").write_text(json.dumps(access))
        self._variables = [
            f"PATH={programs}:{os.environ['PATH']}",
            f"HOME={directory}",
            f"KUBECONFIG={directory}/kubeconfig",
        ]

    def run(self, script: str) -> str:
        """Runs a script; returns its output."""
        script = f"cd {self._directory}\n{script}"
        return self._cluster.on_node("env", "-i", *self._variables, "sh", "-ec", script)


@pytest.fixture
def shell(cluster: Cluster, product: Product, tmp_path: Path) -> Iterator[Shell]:
    """In a checkout, with the pods and files that the pages mention."""
    for name in ("charts", "examples", "tests/node"):
        shutil.copytree(ROOT / name, tmp_path / name)
    cluster.create_namespace("ci")
    container = {"name": "builder", "image": CLI, "command": ["sleep", "1000"]}
    deployment: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "builder", "namespace": "ci"},
        "spec": {
            "selector": {"matchLabels": {"app": "builder"}},
            "template": {
                "metadata": {"labels": {"app": "builder"}},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
            },
        },
    }
    (tmp_path / "builder.yaml").write_text(json.dumps(deployment))
    other = pod("other", container)
    other["metadata"]["annotations"] = {"dind.io/inject": "true"}
    (tmp_path / "pod.yaml").write_text(json.dumps(other))
    shell = Shell(cluster, tmp_path)
    shell.run("kubectl create -f builder.yaml")
    socket = {"name": "socket", "hostPath": {"path": "/var/run/docker.sock"}}
    create(cluster, "default", pod("host-socket", container, volumes=[socket]))
    start(cluster, "default", "job")
    in_container(cluster, "default", "job", "dind", "kill -9 $(pidof dockerd)")
    until(lambda: restarts(cluster, "default", "job") > 0, "a previous container of the sidecar")
    yield shell
    shell.run("kubectl delete pod job host-socket clean-ci --ignore-not-found")
    shell.run("kubectl delete namespace ci dind-webhook --ignore-not-found")
    product.install()


def test_commands_of_the_pages_succeed(product: Product, shell: Shell) -> None:
    """It ends with the removal of the product, which the fixture installs again."""
    for block in in_order():
        _run(product, shell, block)


def _run(product: Product, shell: Shell, block: Block) -> None:
    text = block.text
    if "-n dind-webhook logs POD" in text:
        product.await_injection()
        text = text.replace("POD", product.pods("node")[0])
    for word, meant in SUBSTITUTES.items():
        text = text.replace(word, meant)
    try:
        shell.run(text)
    except subprocess.CalledProcessError as failure:
        failure.add_note(f"{block.page}:\n{text}")
        raise
    if "restart deployment builder" in text:
        shell.run("kubectl -n ci rollout status deployment builder")
    if "delete secret dind-webhook-ca" in text:
        shell.run("kubectl -n dind-webhook rollout restart deployment/dind-webhook")
    if not any(word in text for word in ("uninstall", "delete mutatingwebhookconfiguration")):
        product.await_injection()
