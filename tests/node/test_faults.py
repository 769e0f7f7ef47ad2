"""Kill what a pod's Docker needs, and see it come back; keep it from starting, and see why."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
from kube.waiting import until
from node.cluster import Cluster
from node.doing import (
    NEXT_BUILD,
    as_job,
    await_event,
    await_nested,
    container_id,
    in_container,
    restarts,
    seconds_to_delete,
    sidecar,
    start,
    using,
)
from node.images import BUSYBOX
from node.injecting import MAKE_IMAGE, job
from node.pods import await_phase, completed, create, pod
from node.product import Product

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("profiles")]

# A build under way until a test ends its sleep.
HELD_BUILD = (
    "printf 'FROM made\\nRUN sleep 1000 || echo went on >/said\\n' | docker build -t held -"
)


@pytest.mark.parametrize(
    ("killed", "profile"),
    [
        ("dockerd", "default"),
        ("dockerd", "own-directory"),
        ("containerd", "default"),
        ("the container", "default"),
    ],
    ids=["dockerd", "dockerd, other socket", "dockerd's containerd", "the container"],
)
def test_next_build_works_after_the_daemon_is_killed_during_a_build(
    cluster: Cluster, namespace: str, killed: str, profile: str
) -> None:
    start(cluster, namespace, "killed", profile=profile)
    in_container(cluster, namespace, "killed", "job", MAKE_IMAGE)
    held = f"{{ {HELD_BUILD}; }} >/tmp/held 2>&1 </dev/null &"
    in_container(cluster, namespace, "killed", "job", held)
    await_nested(cluster, namespace, "killed", "sleep")
    if killed == "the container":
        whole = container_id(cluster, namespace, "killed")
        cluster.ctr("task", "kill", "--signal=SIGKILL", whole)
    else:
        in_container(cluster, namespace, "killed", "dind", f"kill -9 $(pidof {killed})")
    assert in_container(cluster, namespace, "killed", "job", NEXT_BUILD) == "a build step ran\n"
    # Nothing but the daemon was started again: the job's own container is the one that it was.
    assert restarts(cluster, namespace, "killed") == (0 if killed == "containerd" else 1)


@pytest.mark.parametrize("part", ["containerd", "kubelet"])
def test_build_continues_through_a_crash_of_the_kubelet_or_containerd(
    cluster: Cluster, namespace: str, part: str
) -> None:
    script = f"{MAKE_IMAGE}\n{HELD_BUILD} 2>/dev/null\ndocker run --rm held cat /said"
    create(cluster, namespace, job("held", script))
    await_nested(cluster, namespace, "held", "sleep")
    cluster.restart(part)
    end = ("exec", f"--namespace={namespace}", "held", "--container=dind", "--", "killall", "sleep")
    until(
        lambda: cluster.kubectl(*end, check=False).returncode == 0,
        f"a command in the pod after the crash of {part}",
        seconds=120,
    )
    await_phase(cluster, namespace, "held", "Succeeded")
    log = cluster.kubectl("logs", f"--namespace={namespace}", "held", "--container=job").stdout
    assert log == "went on\n"
    assert restarts(cluster, namespace, "held") == 0


def test_without_the_webhook_only_opted_in_pods_wait(
    cluster: Cluster, namespace: str, profiles: Product
) -> None:
    build = f"{MAKE_IMAGE}\ndocker run --rm made cat /said"
    with away(profiles):
        refused = cluster.create_pod(namespace, job("direct", "true")).json()
        assert refused["message"].startswith(
            'Internal error occurred: failed calling webhook "pod.dind.io": failed to call webhook:'
        )
        assert refused["message"].endswith('no endpoints available for service "dind-webhook"')

        cluster.client.post(
            f"/apis/batch/v1/namespaces/{namespace}/jobs", json=as_job(job("later", build))
        ).raise_for_status()
        event = await_event(cluster, namespace, "later", "FailedCreate")
        assert event["message"] == f"Error creating: {refused['message']}"

        other = {"name": "only", "image": BUSYBOX, "command": ["echo", "not asked for Docker"]}
        assert completed(cluster, namespace, pod("other", other)) == "not asked for Docker\n"
    cluster.kubectl(
        *("wait", f"--namespace={namespace}", "--for=condition=Complete", "job/later"),
        "--timeout=240s",
    )
    log = cluster.kubectl("logs", f"--namespace={namespace}", "job/later", "--container=job").stdout
    assert log == "a build step ran\n"


@contextmanager
def away(product: Product) -> Iterator[None]:
    """No pod of the webhook serves while the block runs."""
    scale = ("scale", f"--namespace={product.namespace}", f"deployment/{product.release}")
    product.cluster.kubectl(*scale, "--replicas=0")
    try:
        until(lambda: not product.pods(), "the end of all that serve", seconds=120)
        yield
    finally:
        product.cluster.kubectl(*scale, "--replicas=2")
        product.cluster.kubectl("rollout", "status", *scale[1:], "--timeout=240s")


@pytest.mark.parametrize(
    ("profile", "why"),
    [
        ("bad-flag", "unknown flag: --no-such-flag"),
        ("no-iptables", "failed to create NAT chain DOCKER: iptables not found"),
    ],
    ids=["a bad flag", "no iptables"],
)
def test_daemon_that_cannot_start_reports_why_and_its_pod_is_deleted_at_once(
    cluster: Cluster, namespace: str, profile: str, why: str
) -> None:
    create(cluster, namespace, using(profile, job("wrong", "true")))
    until(lambda: why in daemon_log(cluster, namespace, "wrong"), "the reason", seconds=120)
    await_event(cluster, namespace, "wrong", "FailedPostStartHook")
    assert seconds_to_delete(cluster, namespace, "wrong", bound=60) < 30


@pytest.mark.parametrize("shared", [None, "shareProcessNamespace", "hostPID"])
def test_hook_ends_at_its_deadline(cluster: Cluster, namespace: str, shared: str | None) -> None:
    """A daemon that hangs: it is ended, says what the hook waited for, and begins anew."""
    manifest = using("short-start", job("slow", "true"))
    if shared:
        manifest["spec"][shared] = True
    create(cluster, namespace, manifest)
    await_event(cluster, namespace, "slow", "FailedPostStartHook")
    until(lambda: restarts(cluster, namespace, "slow") == 1, "the next start", seconds=120)
    first = sidecar(cluster, namespace, "slow")["lastState"]["terminated"]
    took = moment(first["finishedAt"]) - moment(first["startedAt"])
    # The profile's deadline is 5 s, the default 60 s.
    assert 5 <= took.total_seconds() < 30
    why = "dind-wait: no Docker daemon at unix:///var/run/docker.sock after 5 s:"
    assert why in daemon_log(cluster, namespace, "slow", "--previous")
    # During the second start, and so during its hook.
    assert seconds_to_delete(cluster, namespace, "slow", bound=60) < 30


def daemon_log(cluster: Cluster, namespace: str, name: str, *options: str) -> str:
    """What the sidecar has written, empty where it has not run."""
    where = (f"--namespace={namespace}", name, "--container=dind")
    return cluster.kubectl("logs", *where, *options, check=False).stdout


def moment(timestamp: str) -> datetime:
    """Reads a timestamp of the API server."""
    return datetime.fromisoformat(timestamp)
