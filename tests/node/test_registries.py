"""The registries and the proxy of other tests: injected pods push and pull through each."""

import pytest
import trustme
from node.cluster import Cluster
from node.doing import IDLE, in_container
from node.injecting import injected, job
from node.pods import await_phase, create
from node.registries import (
    PASSWORD,
    USER,
    Registry,
    fill,
    reaching,
    start_proxy,
    start_registry,
    trust,
)

pytestmark = pytest.mark.node

LOGIN = f"echo {PASSWORD} | docker login --username {USER} --password-stdin"
PULL = """
docker image rm {0} >/dev/null
docker pull --quiet {0}
docker run --rm {0} cat /said
"""


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def start_job(cluster: Cluster, namespace: str, *registries: Registry, name: str = "job") -> None:
    """Starts an injected pod that knows the registries."""
    create(cluster, namespace, injected(reaching(job(name, IDLE), registries)))
    await_phase(cluster, namespace, name, "Running")


@pytest.mark.parametrize("tls", [True, False], ids=["private CA", "plain HTTP"])
def test_registry_stores_what_a_job_pushes(
    cluster: Cluster, namespace: str, ca: trustme.CA, *, tls: bool
) -> None:
    registry = start_registry(cluster, namespace, "registry.test:5000", ca=ca if tls else None)
    start_job(cluster, namespace, registry)
    image = "registry.test:5000/team/app:1"
    fill(cluster, namespace, "job", [image], [registry])
    answer = in_container(cluster, namespace, "job", "job", PULL.format(image))
    assert answer == f"{image}\na build step ran\n"
    assert "PUT /v2/team/app/manifests/1 201" in registry.requests()


def test_registry_with_users_needs_a_login(
    cluster: Cluster, namespace: str, ca: trustme.CA
) -> None:
    registry = start_registry(cluster, namespace, "private.test", ca=ca, users=True)
    start_job(cluster, namespace, registry)
    trust(cluster, namespace, "job", [registry])
    denied = in_container(
        cluster, namespace, "job", "job", "docker pull private.test/app 2>&1 || echo denied"
    )
    assert "no basic auth credentials" in denied
    assert denied.endswith("denied\n")
    in_container(cluster, namespace, "job", "job", f"{LOGIN} private.test 2>/dev/null")
    fill(cluster, namespace, "job", ["private.test/app"], [registry])
    answer = in_container(cluster, namespace, "job", "job", PULL.format("private.test/app"))
    assert answer.endswith("a build step ran\n")


def test_cache_asks_its_upstream_once_for_each_layer(
    cluster: Cluster, namespace: str, ca: trustme.CA
) -> None:
    upstream = start_registry(cluster, namespace, "upstream.test", ca=ca)
    cache = start_registry(cluster, namespace, "cache.test", upstream=upstream)
    start_job(cluster, namespace, upstream)
    fill(cluster, namespace, "job", ["upstream.test/app"], [upstream])
    before = len(upstream.requests())

    for name in ("first", "second"):
        start_job(cluster, namespace, cache, name=name)
        trust(cluster, namespace, name, [cache])
        pull = "docker pull --quiet cache.test/app && docker run --rm cache.test/app cat /said"
        assert "a build step ran" in in_container(cluster, namespace, name, "job", pull)

    gets = [line for line in upstream.requests()[before:] if line.startswith("GET /v2/app/blobs/")]
    assert gets
    assert len(gets) == len(set(gets))


def test_stopped_registry_refuses_connections(cluster: Cluster, namespace: str) -> None:
    registry = start_registry(cluster, namespace, "registry.test")
    start_job(cluster, namespace, registry)
    fill(cluster, namespace, "job", ["registry.test/app"], [registry])

    registry.stop()

    pull = "docker pull registry.test/app 2>&1 || echo failed"
    failed = in_container(cluster, namespace, "job", "job", pull)
    assert "connection refused" in failed
    registry.start()
    fill(cluster, namespace, "job", ["registry.test/app"], [registry])


def test_proxy_logs_the_registries_that_it_connects_to(
    cluster: Cluster, namespace: str, ca: trustme.CA
) -> None:
    """The job knows the proxy only; its daemon gets HTTPS_PROXY from the environment."""
    secure = start_registry(cluster, namespace, "secure.test", ca=ca)
    plain = start_registry(cluster, namespace, "plain.test")
    proxy = start_proxy(cluster, namespace, [secure, plain])
    manifest = injected(job("job", IDLE))
    (sidecar,) = (c for c in manifest["spec"]["initContainers"] if c["name"] == "dind")
    sidecar["env"] = [{"name": name, "value": proxy.url} for name in ("HTTP_PROXY", "HTTPS_PROXY")]
    create(cluster, namespace, manifest)
    await_phase(cluster, namespace, "job", "Running")

    images = ["secure.test/app", "plain.test/app"]
    fill(cluster, namespace, "job", images, [secure, plain])

    assert "CONNECT secure.test:443" in proxy.requests()
    assert "PUT http://plain.test/v2/app/manifests/latest" in proxy.requests()
