"""Image stores that jobs of a namespace and profile share: what the next job finds."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kube.waiting import until
from node.cluster import Cluster
from node.conftest import new_namespace
from node.doing import (
    IDLE,
    await_nested,
    container_id,
    in_container,
    restarts,
    seconds_to_delete,
    start,
    using,
)
from node.injecting import MAKE_CONTEXT, MAKE_IMAGE, job
from node.pods import await_phase, create_all
from node.product import Product
from node.registries import start_registry
from node.shared_stores import DIRECTORY, is_free, on_store, upgraded

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("warm")]

PROFILE = "warm"
VALUES = {
    "config": {
        "profiles": {
            "default": {},
            PROFILE: {
                # Twenty pods fit onto the node. The registry has no TLS.
                "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
                "startTimeout": 600,
                "daemon": {"extraArgs": ["--insecure-registry=10.96.0.0/12"]},
                "storage": {"sizeLimit": "1Gi", "persistent": {"keep": "1Gi", "share": "trusted"}},
            },
        }
    }
}
# What a job leaves behind beside its image: a container with a file of its own, and more.
LEAVE_MORE = """
docker volume create left
docker network create left
docker run --detach --name left --volume left:/left --network left made \
  sh -c 'echo secret >/left/secret; echo secret >/secret; sleep 1000'
"""
# Prints the steps that came from the cache.
BUILD_AGAIN = f"{MAKE_CONTEXT}docker build --progress=plain --tag again . 2>&1 | grep CACHED"
HELD_BUILD = "printf 'FROM made\\nRUN sleep 1000\\n' | docker build -t held -"


@pytest.fixture(scope="module")
def warm(product: Product, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product with a profile whose image stores are shared."""
    with upgraded(product, VALUES, tmp_path_factory.mktemp("values")) as with_stores:
        yield with_stores


def store(cluster: Cluster, namespace: str, name: str) -> str:
    """What the sidecar says of its store, such as `0: fresh`: the first line of its log."""
    where = f"--namespace={namespace}", name, "--container=dind"
    line = cluster.kubectl("logs", *where).stdout.partition("\n")[0]
    prefix = f"dind-start: image store {DIRECTORY}/{namespace}/{PROFILE}/"
    assert line.startswith(prefix), line
    return line.removeprefix(prefix)


def await_free(cluster: Cluster, namespace: str) -> None:
    """Waits until no pod has the first store, and the last process of its pod has ended."""
    until(
        lambda: is_free(cluster, namespace, PROFILE),
        "the store to be free",
        seconds=240,
    )


def moby(cluster: Cluster, namespace: str, name: str, words: str) -> list[str]:
    """Asks dockerd's containerd."""
    ctr = "ctr --address /var/dind/exec/containerd/containerd.sock --namespace moby"
    return in_container(cluster, namespace, name, "dind", f"{ctr} {words}").split()


def build_first(cluster: Cluster, namespace: str) -> str:
    """Runs a job that leaves an image and more behind; returns the id of its container."""
    start(cluster, namespace, "first", profile=PROFILE)
    assert store(cluster, namespace, "first") == "0: fresh"
    in_container(cluster, namespace, "first", "job", MAKE_IMAGE)
    return in_container(cluster, namespace, "first", "job", LEAVE_MORE).split()[-1]


def test_the_next_job_has_images_and_build_cache_of_the_first_and_nothing_else(
    cluster: Cluster, namespace: str
) -> None:
    left = build_first(cluster, namespace)
    assert left in moby(cluster, namespace, "first", "leases list --quiet")
    assert left in moby(cluster, namespace, "first", "snapshots list")
    seconds_to_delete(cluster, namespace, "first", bound=60)

    start(cluster, namespace, "second", profile=PROFILE)
    assert store(cluster, namespace, "second") == "0: warm (1 job before)"
    look = """
        docker container ls --all --quiet
        docker volume ls --quiet
        docker network ls --quiet --filter type=custom
    """
    assert in_container(cluster, namespace, "second", "job", look) == ""
    run = "docker run --rm --pull=never made cat /said"
    assert in_container(cluster, namespace, "second", "job", run) == "a build step ran\n"
    again = in_container(cluster, namespace, "second", "job", BUILD_AGAIN)
    assert len(again.splitlines()) == 7, again  # all steps after FROM scratch

    # The writable layer goes in the background.
    until(
        lambda: on_store(cluster, namespace, PROFILE, "test -s leftover || echo none") == "none\n",
        "the end of the writable layer",
        seconds=60,
    )
    assert left not in moby(cluster, namespace, "second", "leases list --quiet")
    assert left not in moby(cluster, namespace, "second", "snapshots list")
    assert left not in moby(cluster, namespace, "second", "containers list --quiet")


def test_jobs_at_once_have_two_stores_that_stay_apart(cluster: Cluster, namespace: str) -> None:
    for name in ("one", "other"):
        start(cluster, namespace, name, profile=PROFILE)
    found = sorted(store(cluster, namespace, name) for name in ("one", "other"))
    assert found == ["0: fresh", "1: fresh"]
    in_container(cluster, namespace, "one", "job", MAKE_IMAGE)
    images = "docker image ls --quiet"
    assert in_container(cluster, namespace, "other", "job", images) == ""
    for name in ("one", "other"):
        seconds_to_delete(cluster, namespace, name, bound=60)
    for name in ("next", "last"):
        start(cluster, namespace, name, profile=PROFILE)
    found = sorted(store(cluster, namespace, name) for name in ("next", "last"))
    assert found == ["0: warm (1 job before)", "1: warm (1 job before)"]


def test_a_restarted_sidecar_keeps_the_images_and_containers_of_its_pod(
    cluster: Cluster, namespace: str
) -> None:
    left = build_first(cluster, namespace)
    cluster.ctr("task", "kill", "--signal=SIGKILL", container_id(cluster, namespace, "first"))
    until(lambda: restarts(cluster, namespace, "first") == 1, "the restart", seconds=120)
    look = """
        until docker version >/dev/null 2>&1; do sleep 0.1; done
        docker container ls --all --quiet --no-trunc
        docker run --rm --pull=never made cat /said
    """
    found = in_container(cluster, namespace, "first", "job", look)
    assert found == f"{left}\na build step ran\n"
    assert store(cluster, namespace, "first") == "0: its own, after a restart"
    secret = "docker run --rm --volume left:/left made cat /left/secret"
    assert in_container(cluster, namespace, "first", "job", secret) == "secret\n"


@pytest.mark.parametrize("killed", ["dockerd", "the sidecar", "containerd", "kubelet"])
def test_what_is_killed_during_a_build_leaves_the_store_to_the_next_job(
    cluster: Cluster, namespace: str, killed: str
) -> None:
    """The last two are parts of the node."""
    build_first(cluster, namespace)
    hold(cluster, namespace)
    if killed == "dockerd":
        in_container(cluster, namespace, "first", "dind", "kill -9 $(pidof dockerd)")
    elif killed == "the sidecar":
        cluster.ctr("task", "kill", "--signal=SIGKILL", container_id(cluster, namespace, "first"))
    else:
        cluster.restart(killed)
    if killed in ("dockerd", "the sidecar"):
        until(lambda: restarts(cluster, namespace, "first") == 1, "the restart", seconds=120)
    delete(cluster, namespace, "first")
    start(cluster, namespace, "second", profile=PROFILE)
    assert store(cluster, namespace, "second") == "0: warm (1 job before)"
    in_container(cluster, namespace, "second", "job", BUILD_AGAIN)


def test_a_pod_that_is_deleted_by_force_during_a_build_leaves_its_store_to_the_next_job(
    cluster: Cluster, namespace: str
) -> None:
    """No hook runs: the reclaimer releases the store."""
    build_first(cluster, namespace)
    hold(cluster, namespace)
    delete = ("delete", "pod", "first", f"--namespace={namespace}", "--force", "--grace-period=0")
    cluster.kubectl(*delete)
    await_free(cluster, namespace)
    start(cluster, namespace, "second", profile=PROFILE)
    assert store(cluster, namespace, "second") == "0: warm (1 job before)"
    in_container(cluster, namespace, "second", "job", BUILD_AGAIN)


def test_a_pod_that_is_deleted_during_a_pull_leaves_its_store_to_the_next_job(
    cluster: Cluster, namespace: str
) -> None:
    registry = start_registry(cluster, namespace, "registry.test:5000")
    image = f"{registry.address}:{registry.port}/large:1"
    build_first(cluster, namespace)
    large = f"{MAKE_CONTEXT}dd if=/dev/urandom of=data bs=1M count=100 2>/dev/null\n"
    large += f"echo COPY data /data >>Dockerfile\ndocker build --quiet --tag {image} ."
    in_container(cluster, namespace, "first", "job", f"{large}\ndocker push --quiet {image}")
    in_container(cluster, namespace, "first", "job", f"docker image rm {image}")
    pull = f"{{ docker pull {image}; }} >/tmp/pulled 2>&1 </dev/null &"
    in_container(
        cluster, namespace, "first", "job", f"{pull}\nuntil [ -s /tmp/pulled ]; do :; done"
    )
    delete(cluster, namespace, "first")

    start(cluster, namespace, "second", profile=PROFILE)
    assert store(cluster, namespace, "second") == "0: warm (1 job before)"
    in_container(cluster, namespace, "second", "job", BUILD_AGAIN)
    run = f"docker pull --quiet {image} && docker run --rm {image} cat /said"
    answer = in_container(cluster, namespace, "second", "job", run)
    assert answer == f"{image}\na build step ran\n"


def test_a_full_disk_fails_the_build_and_keeps_what_was_complete(
    cluster: Cluster, namespace: str
) -> None:
    with small_disk(cluster, f"{DIRECTORY}/{namespace}"):
        build_first(cluster, namespace)
        fill = f"{MAKE_CONTEXT}echo 'RUN cat /dev/zero >/full' >>Dockerfile\n"
        fill += "docker build --progress=plain . 2>&1 || true"
        assert "No space left on device" in in_container(cluster, namespace, "first", "job", fill)
        delete(cluster, namespace, "first")

        start(cluster, namespace, "second", profile=PROFILE)
        assert store(cluster, namespace, "second") == "0: warm (1 job before)"
        in_container(cluster, namespace, "second", "job", BUILD_AGAIN)
        run = "docker run --rm --pull=never made cat /said"
        assert in_container(cluster, namespace, "second", "job", run) == "a build step ran\n"
        delete(cluster, namespace, "second")


@contextmanager
def small_disk(cluster: Cluster, directory: str) -> Iterator[None]:
    """A file system of 128 MB at a directory of the node."""
    cluster.on_node("mkdir", "-p", directory)
    cluster.on_node("mount", "-t", "tmpfs", "-o", "size=128m", "tmpfs", directory)
    yield
    cluster.on_node("umount", "--lazy", directory)


@pytest.mark.timeout(2000)
def test_twenty_jobs_at_once_build_on_stores_of_their_own_which_shrink_to_the_limit_of_the_node(
    warm: Product, cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    names = [f"job-{number}" for number in range(20)]
    manifests = [using(PROFILE, job(name, f"{MAKE_IMAGE}{IDLE}")) for name in names]
    create_all(cluster, namespace, manifests)
    for name in names:
        await_phase(cluster, namespace, name, "Running", seconds=900)
    assert len({store(cluster, namespace, name).partition(":")[0] for name in names}) == len(names)
    until(
        lambda: all(has_image(cluster, namespace, name) for name in names),
        "twenty builds",
        seconds=900,
        interval=5,
    )
    for name in names:
        cluster.client.delete(f"/api/v1/namespaces/{namespace}/pods/{name}").raise_for_status()

    values = tmp_path / "values.yaml"
    values.write_text(json.dumps(VALUES | {"reclaimer": {"nodeLimit": "50M"}}))
    warm.upgrade(values)
    until(lambda: 0 < size(cluster, namespace) < 50_000_000, "smaller stores", seconds=300)


def has_image(cluster: Cluster, namespace: str, name: str) -> bool:
    return "made" in in_container(cluster, namespace, name, "job", "docker image ls")


def size(cluster: Cluster, namespace: str) -> int:
    """Bytes of all stores of a namespace; 0 if some are being removed."""
    measure = f"used=$(du -s -B1 {DIRECTORY}/{namespace} 2>/dev/null) && echo $used || echo 0"
    return int(cluster.on_node("sh", "-c", measure).split()[0])


def delete(cluster: Cluster, namespace: str, name: str) -> None:
    """Deletes a pod and waits until its store is free."""
    seconds_to_delete(cluster, namespace, name, bound=60)
    await_free(cluster, namespace)


def hold(cluster: Cluster, namespace: str) -> None:
    """Starts a build that does not end."""
    held = f"{{ {HELD_BUILD}; }} >/tmp/held 2>&1 </dev/null &"
    in_container(cluster, namespace, "first", "job", f"docker rm --force left; {held}")
    await_nested(cluster, namespace, "first", "sleep")


def test_other_namespaces_see_nothing(cluster: Cluster, namespace: str) -> None:
    build_first(cluster, namespace)
    seconds_to_delete(cluster, namespace, "first", bound=60)
    with new_namespace(cluster) as other:
        start(cluster, other, "job", profile=PROFILE)
        assert store(cluster, other, "job") == "0: fresh"
        look = "docker image ls --quiet; docker builder du --format '{{.ID}}'"
        assert in_container(cluster, other, "job", "job", look) == ""
        assert in_container(cluster, other, "job", "dind", "ls /var/lib/dind-store") == "0\n"
