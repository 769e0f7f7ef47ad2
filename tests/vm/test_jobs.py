"""Jobs as users run them, through webhook and kubelet."""

from typing import Any

import pytest
from node.article import WAYS, completed_pod, mode
from node.cluster import Cluster
from node.doing import using
from node.injecting import MAKE_IMAGE, job
from node.pods import completed
from node.suites import suite_job
from vm.pods import PATIENCE

pytestmark = [pytest.mark.vm, pytest.mark.timeout(3600)]

NON_ROOT: dict[str, Any] = {
    "runAsUser": 1000,
    "runAsGroup": 1000,
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}


@pytest.fixture(
    params=["default", "user-namespace-seccomp"], ids=["privileged", "user namespace, seccomp"]
)
def profile(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_clean_ci_job_builds_runs_and_saves(cluster: Cluster, namespace: str, profile: str) -> None:
    manifest = WAYS["annotation"].job()
    using(profile, manifest["spec"]["template"])
    jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    cluster.client.post(jobs, json=manifest).raise_for_status()
    assert mode(completed_pod(cluster, namespace, seconds=PATIENCE)) == "sidecar"


def test_volumes_of_the_job_are_mirrored(cluster: Cluster, namespace: str) -> None:
    """In a user namespace: test_isolation.py."""
    script = f"""{MAKE_IMAGE}
        echo from the job >/work/file
        docker run --rm --volume=/work:/w made cat /w/file
    """
    manifest = job("mirrored", script, volumeMounts=[{"name": "work", "mountPath": "/work"}])
    manifest["spec"]["volumes"] = [{"name": "work", "emptyDir": {}}]
    assert completed(cluster, namespace, manifest, seconds=PATIENCE) == "from the job\n"


def test_non_root_job_builds_and_runs(cluster: Cluster, namespace: str, profile: str) -> None:
    script = f"id -u\n{MAKE_IMAGE}\ndocker run --rm made cat /said"
    variables = [{"name": "HOME", "value": "/tmp"}]
    manifest = job("non-root", script, securityContext=NON_ROOT, env=variables)
    output = completed(cluster, namespace, using(profile, manifest), seconds=PATIENCE)
    assert output == "1000\na build step ran\n"


def test_testcontainers_suite_passes(cluster: Cluster, namespace: str, profile: str) -> None:
    manifest = using(profile, suite_job("testcontainers_suite"))
    assert completed(cluster, namespace, manifest, seconds=PATIENCE).endswith("passed\n")
