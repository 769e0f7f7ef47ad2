"""The chart's pre-pull on a real node: jobs start without the registry, and its pods do nothing."""

import json
import sys
from collections.abc import Iterator

import pytest
from kube.waiting import until
from node.cluster import Cluster
from node.conftest import new_namespace
from node.doing import using
from node.images import DIND, REGISTRY
from node.injecting import job
from node.pods import await_phase, completed, create, pod
from node.product import Product
from node.shared_stores import upgraded

pytestmark = [pytest.mark.node, pytest.mark.timeout(600)]

# containerd uses plain HTTP for registries on loopback addresses.
_PORT = 5055
IMAGE = f"127.0.0.1:{_PORT}/dind:1"
_SERVE = f"""
cat >/tmp/config.yml <<'END'
version: 0.1
storage: {{filesystem: {{rootdirectory: /var/lib/registry}}}}
http: {{addr: "127.0.0.1:{_PORT}"}}
END
exec registry serve /tmp/config.yml
"""
_CONNECT = f"""
import socket
try:
    socket.create_connection(("127.0.0.1", {_PORT}), 5)
    print("connected")
except OSError:
    pass
"""
VALUES = {
    "imagePrePull": {"enabled": True},
    "config": {"profiles": {"pulled": {"image": IMAGE}}},
}


@pytest.fixture(scope="module")
def registry(product: Product) -> Iterator[str]:
    """The namespace of a registry in the network of the node, with the daemon's image."""
    cluster = product.cluster
    container = {"name": "registry", "image": REGISTRY, "command": ["sh", "-c", _SERVE]}
    with new_namespace(cluster) as namespace:
        create(cluster, namespace, pod("registry", container, hostNetwork=True))
        await_phase(cluster, namespace, "registry", "Running")
        until(lambda: _answers(cluster), "the registry to answer", seconds=60)
        cluster.ctr("images", "push", "--plain-http", IMAGE, f"docker.io/library/{DIND}")
        yield namespace


def test_jobs_need_no_registry_after_the_pre_pull(
    registry: str, product: Product, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cluster = product.cluster
    assert not _has_image(cluster)
    with upgraded(product, VALUES, tmp_path_factory.mktemp("values")):
        (name,) = product.pods("pre-pull")
        until(lambda: _has_image(cluster), "the image on the node", seconds=60)
        _has_few_rights(product, name)

        where = f"--namespace={registry}"
        cluster.kubectl("delete", where, "pod", "registry", "--force", "--grace-period=0")
        with new_namespace(cluster) as namespace:
            manifest = using("pulled", job("job", "docker info >/dev/null 2>&1 && echo done"))
            assert completed(cluster, namespace, manifest) == "done\n"


def _answers(cluster: Cluster) -> bool:
    return cluster.on_node(sys.executable, "-c", _CONNECT).strip() == "connected"


def _has_image(cluster: Cluster) -> bool:
    return IMAGE in cluster.ctr("images", "list", "--quiet").splitlines()


def _has_few_rights(product: Product, name: str) -> None:
    where = f"--namespace={product.namespace}", name
    look = "id -u; grep CapBnd /proc/1/status; ls /var/run/secrets 2>&1; touch /written 2>&1; true"
    seen = product.cluster.kubectl("exec", *where, "--", "sh", "-c", look).stdout.splitlines()
    assert seen[0] == "65532"
    assert int(seen[1].split()[1], 16) == 0
    assert seen[2].endswith("No such file or directory")
    assert seen[3].endswith("Read-only file system")
    status = json.loads(product.cluster.kubectl("get", "pod", *where, "--output=json").stdout)
    pulled = status["status"]["initContainerStatuses"]
    assert [each["state"]["terminated"]["exitCode"] for each in pulled] == [0, 0]
    assert status["status"]["containerStatuses"][0]["restartCount"] == 0
