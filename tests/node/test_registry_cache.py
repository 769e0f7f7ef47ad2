"""The chart's pull-through cache: jobs use it by themselves and do without it while it is down."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from kube.waiting import until
from node.cluster import Cluster
from node.conftest import new_namespace
from node.doing import IDLE
from node.injecting import MAKE_IMAGE, injected, job
from node.pods import await_phase, completed, create
from node.product import Product
from node.registries import (
    PASSWORD,
    USER,
    Registry,
    Server,
    fill,
    pull_and_run,
    reaching,
    start_registry,
    store_login,
)

pytestmark = pytest.mark.node

CACHE = "dind-webhook-cache-docker-io"
PRIVATE = "private.test"
PRIVATE_CACHE = "dind-webhook-cache-private-test"
VOLUMES = {CACHE: "/var/registry-cache", PRIVATE_CACHE: "/var/private-cache"}  # on the node
APP = "library/app"
NEXT = f"""{MAKE_IMAGE}
printf 'FROM made\\nRUN echo next >/said\\n' | docker build --quiet --tag made - >/dev/null
"""

# Gets the manifests of a tag, so that a cache has them; prints the digest of the tag.
GET_MANIFESTS = """
import json, sys, urllib.request
kinds = ("oci.image.index.v1", "oci.image.manifest.v1")
accepted = {"Accept": ", ".join(f"application/vnd.{kind}+json" for kind in kinds)}
def manifest(reference):
    url = f"{sys.argv[1]}/manifests/{reference}"
    answer = urllib.request.urlopen(urllib.request.Request(url, headers=accepted))
    return answer.headers["Docker-Content-Digest"], json.load(answer)
digest, index = manifest(sys.argv[2])
for entry in index["manifests"]:
    manifest(entry["digest"])
print(digest)
"""


@dataclass(frozen=True)
class Hub:
    """Two registries with the same images, both Docker Hub: one for the cache, one for jobs.

    Attributes:
        product: the release with the cache.
        namespace: of the registries; its jobs may use the profile `private`.
        upstream: what the cache pulls from.
        origin: what daemons pull from without the cache.
        cache: its Service.
    """

    product: Product
    namespace: str
    upstream: Registry
    origin: Registry
    cache: Server

    def job(self, name: str, script: str, *, finds_origin: bool = True) -> dict[str, object]:
        """A job that finds the cache and, by default, the origin."""
        manifest = reaching(job(name, script), [self.origin] if finds_origin else [])
        return finding(self.product, manifest, CACHE)

    def scale(self, replicas: int) -> None:
        """Ends the cache at once, or starts it and waits until it is ready."""
        where = f"--namespace={self.product.namespace}"
        kubectl = self.product.cluster.kubectl
        kubectl("scale", where, "deployment", CACHE, f"--replicas={replicas}")
        if replicas:
            kubectl("rollout", "status", where, f"deployment/{CACHE}", "--timeout=300s")
        else:
            chosen = f"--selector=dind.io/registry-cache={CACHE}"
            kubectl("delete", where, "pod", chosen, "--force", "--grace-period=0")

    def blobs_served(self) -> int:
        """How many layers and image configurations the cache has served."""
        log = self.product.cluster.kubectl(
            "logs", f"--namespace={self.product.namespace}", f"deployment/{CACHE}"
        ).stdout
        return sum("response completed" in line and "/blobs/" in line for line in log.splitlines())


def finding(product: Product, manifest: dict[str, Any], cache: str) -> dict[str, Any]:
    """The pod, in which the name of a cache's Service is known."""
    names = [f"{cache}.{product.namespace}.svc"]
    alias = {"ip": service_address(product, cache), "hostnames": names}
    manifest["spec"].setdefault("hostAliases", []).append(alias)
    return manifest


def service_address(product: Product, name: str) -> str:
    service = f"/api/v1/namespaces/{product.namespace}/services/{name}"
    found = product.cluster.client.get(service).raise_for_status().json()
    address: str = found["spec"]["clusterIP"]
    return address


@pytest.fixture(scope="module")
def hub(product: Product, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    cluster, ca = product.cluster, trustme.CA()
    pem = ca.cert_pem.bytes().decode()
    with new_namespace(cluster) as namespace:
        upstream = start_registry(cluster, namespace, "upstream.test", ca=ca)
        origin = start_registry(cluster, namespace, "registry-1.docker.io", ca=ca)
        both = [upstream, origin]
        private = start_registry(cluster, namespace, PRIVATE, ca=ca, users=True)
        create(cluster, namespace, injected(reaching(job("publisher", IDLE), [*both, private])))
        await_phase(cluster, namespace, "publisher", "Running")
        for tag, script in (("1", MAKE_IMAGE), ("2", NEXT)):
            images = [f"{registry.host}/{APP}:{tag}" for registry in both]
            fill(cluster, namespace, "publisher", images, both, build=script)
        log_in = f"echo {PASSWORD} | docker login --username {USER} --password-stdin {PRIVATE}\n"
        images = [f"{PRIVATE}/team/app"]
        fill(cluster, namespace, "publisher", images, [private], build=f"{MAKE_IMAGE}{log_in}")
        store_login(cluster, product.namespace, "private")

        profiles: dict[str, Any] = {
            "default": {"registries": {"docker.io": {"ca": pem}}},
            "private": {},
        }
        values: dict[str, Any] = {
            "config": {
                "profiles": profiles,
                "policy": {"profiles": {"*": ["default"], namespace: ["private"]}},
            },
            "registryCache": {
                "enabled": True,
                "caCertificates": pem,
                "storage": {"persistent": True, "size": "64Mi"},
                "upstreams": {
                    "docker.io": {"url": f"https://{upstream.address}"},
                    PRIVATE: {
                        "url": f"https://{private.address}",
                        "credentialsSecret": "private",
                        "allowedNamespaces": [namespace],
                        "profiles": ["private"],
                    },
                },
            },
        }
        _provide_volumes(cluster)
        product.upgrade(_written(tmp_path_factory, values))
        named = {"metadata": {"name": CACHE}}
        address = service_address(product, CACHE)
        cache = Server(cluster, product.namespace, CACHE, address, 5000, named)
        yield Hub(product, namespace, upstream, origin, cache)
        product.upgrade(_written(tmp_path_factory, {}))


def _provide_volumes(cluster: Cluster) -> None:
    """Creates PersistentVolumes that can be full without the node's disk being full."""
    for cache, directory in VOLUMES.items():
        mount = f"mount -t tmpfs -o size=64m,mode=1777 cache {directory}"
        cluster.on_node("sh", "-c", f"mkdir -p {directory} && {mount}")
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "64Mi"},
            "hostPath": {"path": directory},
        }
        volume = {"metadata": {"name": cache}, "spec": spec}
        cluster.client.post("/api/v1/persistentvolumes", json=volume).raise_for_status()


def _written(factory: pytest.TempPathFactory, values: dict[str, object]) -> Path:
    file = factory.mktemp("values") / "values.yaml"
    file.write_text(json.dumps(values))
    return file


def test_second_pull_goes_to_the_cache_only(cluster: Cluster, namespace: str, hub: Hub) -> None:
    """Of jobs that do not find Docker Hub; its names work with and without library/."""
    completed(cluster, namespace, hub.job("first", pull_and_run("app:1"), finds_origin=False))
    before = hub.upstream.requests()
    assert any(line.startswith(f"GET /v2/{APP}/blobs/") for line in before)

    second = hub.job("second", pull_and_run(f"{APP}:1"), finds_origin=False)
    assert completed(cluster, namespace, second) == "a build step ran\n"

    # The cache asks where the tag points, and for a tag of referrers, which is missing.
    later = hub.upstream.requests()[len(before) :]
    assert f"HEAD /v2/{APP}/manifests/1 200" in later
    assert [r for r in later if r.startswith(f"GET /v2/{APP}/") and not r.endswith(" 404")] == []


def test_pull_falls_back_to_the_registry_when_the_cache_is_killed_half_way(
    cluster: Cluster, namespace: str, hub: Hub
) -> None:
    """The cache has all layers but the last, and waits for its registry when it is killed."""
    completed(cluster, namespace, hub.job("warm", pull_and_run("app:1")))
    url = f"http://{hub.cache.address}:5000/v2/{APP}"
    digest = cluster.on_node(sys.executable, "-c", GET_MANIFESTS, url, "2").strip()
    direct = len(hub.origin.requests())
    served = hub.blobs_served()
    hub.upstream.signal("SIGSTOP")
    create(cluster, namespace, hub.job("job", pull_and_run(f"app@{digest}")))
    until(lambda: hub.blobs_served() > served, "a layer from the cache", seconds=240)

    hub.scale(0)
    hub.upstream.signal("SIGCONT")

    await_phase(cluster, namespace, "job", "Succeeded")
    gets = [line for line in hub.origin.requests()[direct:] if f"GET /v2/{APP}/blobs/" in line]
    hub.scale(1)
    assert gets
    log = cluster.kubectl("logs", f"--namespace={namespace}", "job", "--container=job").stdout
    assert log == "next\n"


def test_cache_with_a_full_volume_is_not_used(cluster: Cluster, namespace: str, hub: Hub) -> None:
    direct = len(hub.origin.requests())
    filler = f"{VOLUMES[CACHE]}/filler"
    cluster.on_node("sh", "-c", f"dd if=/dev/zero of={filler} bs=1M 2>/dev/null; true")
    try:
        hub.cache.await_outcome("ConnectionRefusedError")
        log = completed(cluster, namespace, hub.job("job", pull_and_run("app:1")))
    finally:
        cluster.on_node("rm", filler)
    assert log == "a build step ran\n"
    assert len(hub.origin.requests()) > direct
    hub.cache.await_outcome("connected")


def test_pulls_work_while_the_cache_cannot_start(
    cluster: Cluster, namespace: str, hub: Hub
) -> None:
    """The cache ends at its start if its registry refuses connections."""
    direct = len(hub.origin.requests())
    hub.scale(0)
    with hub.upstream.refusing():
        where = f"--namespace={hub.product.namespace}"
        cluster.kubectl("scale", where, "deployment", CACHE, "--replicas=1")
        chosen = f"--selector=dind.io/registry-cache={CACHE}"
        path = "{.items[*].status.containerStatuses[*].restartCount}"
        count = ("get", "pods", where, chosen, f"--output=jsonpath={path}")
        until(
            lambda: cluster.kubectl(*count).stdout.strip() not in ("", "0"),
            "the cache to restart",
            seconds=240,
        )

        log = completed(cluster, namespace, hub.job("job", pull_and_run("app:1")))

        assert log == "a build step ran\n"
        assert len(hub.origin.requests()) > direct
    hub.scale(1)


def test_cache_with_credentials_serves_its_namespaces(product: Product, hub: Hub) -> None:
    """The jobs know neither the registry nor its credentials."""
    script = pull_and_run(f"{PRIVATE}/team/app")
    manifest = finding(product, job("private", script), PRIVATE_CACHE)
    manifest["metadata"]["annotations"]["dind.io/profile"] = "private"
    assert completed(product.cluster, hub.namespace, manifest) == "a build step ran\n"


@pytest.mark.usefixtures("hub")
def test_other_namespaces_do_not_get_the_profile_of_such_a_cache(
    product: Product, namespace: str
) -> None:
    manifest = job("private", "true")
    manifest["metadata"]["annotations"]["dind.io/profile"] = "private"
    path = f"/api/v1/namespaces/{namespace}/pods"
    answer = product.cluster.client.post(path, json=manifest)
    assert answer.status_code == 403
    assert "profile" in answer.json()["message"]
