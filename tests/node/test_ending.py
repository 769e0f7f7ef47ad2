"""How a pod ends: within its grace period, and without leftovers."""

from datetime import datetime
from typing import Any

import pytest
from kube.waiting import until
from node.cluster import Cluster
from node.doing import IDLE, as_job, in_container, seconds_to_delete
from node.footprint import Footprint, footprint, records, traces
from node.injecting import MAKE_IMAGE, job
from node.pods import await_phase, create

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("product")]

GRACE_SECONDS = 30  # Kubernetes' default terminationGracePeriodSeconds

RUN_DETACHED = f"{MAKE_IMAGE}\ndocker network create own\ndocker run --detach --network own made"
STUBBORN = "sh -c 'trap : TERM; while :; do sleep 1; done'"


@pytest.mark.parametrize(
    ("left", "seconds"),
    [("true", 20), (f"{RUN_DETACHED} {STUBBORN}", GRACE_SECONDS)],
    ids=["an idle daemon", "a nested container that ignores TERM"],
)
def test_job_completes_within_the_grace_period_after_its_app(
    cluster: Cluster, namespace: str, left: str, seconds: int
) -> None:
    asked = as_job(patient(job("short", left)))
    jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    cluster.client.post(jobs, json=asked).raise_for_status()
    wait = ("wait", f"--namespace={namespace}", "--for=condition=Complete", "job/short")
    cluster.kubectl(*wait, "--timeout=240s")
    (pod,) = cluster.client.get(f"/api/v1/namespaces/{namespace}/pods").json()["items"]
    (app,) = pod["status"]["containerStatuses"]
    ended = datetime.fromisoformat(app["state"]["terminated"]["finishedAt"])
    status = cluster.client.get(f"{jobs}/short").json()["status"]
    took = datetime.fromisoformat(status["completionTime"]) - ended
    assert took.total_seconds() <= seconds


@pytest.mark.timeout(600)
def test_deleted_pod_leaves_nothing_behind(cluster: Cluster, namespace: str) -> None:
    marks = run_nested(cluster, namespace, f"sh -c '{IDLE}'")
    assert len(traces(cluster, marks)) == 4
    assert records(cluster, marks)
    seconds_to_delete(cluster, namespace, "gone", bound=60)
    until(lambda: not traces(cluster, marks), "the end of what the pod uses", seconds=120)
    until(lambda: not records(cluster, marks), "the removal of its logs and records", seconds=150)


def test_nested_container_that_ignores_sigterm_ends_with_the_grace_period(
    cluster: Cluster, namespace: str
) -> None:
    marks = run_nested(cluster, namespace, STUBBORN)
    assert seconds_to_delete(cluster, namespace, "gone", bound=90) <= GRACE_SECONDS
    until(lambda: not traces(cluster, marks), "the end of what the pod uses", seconds=120)


def run_nested(cluster: Cluster, namespace: str, command: str) -> Footprint:
    """Starts the pod `gone` with a command in a nested container on its own network."""
    create(cluster, namespace, patient(job("gone", IDLE)))
    await_phase(cluster, namespace, "gone", "Running")
    in_container(cluster, namespace, "gone", "job", f"{RUN_DETACHED} {command}")
    return footprint(cluster, namespace, "gone")


def patient(manifest: dict[str, Any]) -> dict[str, Any]:
    """The pod with the default grace period."""
    del manifest["spec"]["terminationGracePeriodSeconds"]
    return manifest
