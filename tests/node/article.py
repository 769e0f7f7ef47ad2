"""The pods of Li Zhiyu's article as Jobs with a script that needs no registry.

The project starts from it: 《在containerd集群中使用docker做镜像构建服务》 (docs/README.md).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kube.waiting import until
from node.cluster import Cluster
from node.injecting import MAKE_IMAGE
from node.pods import story
from ruamel.yaml import YAML

# Its own way to wait. Where the webhook injects, it ends at once.
WAIT = (
    "docker info >/dev/null 2>&1; "
    "while [ $? -ne 0 ] ; do sleep 3; docker info >/dev/null 2>&1; done"
)
SCRIPT = f"""
{WAIT}
{MAKE_IMAGE}
docker info 2>/dev/null | grep -o 'Server Version'
docker run --rm made cat /said
docker save -o made.tar made
tar -tf made.tar | grep -x manifest.json
"""
SAID = ["Server Version", "a build step ran", "manifest.json"]

TIDY = "docker rmi made >/dev/null"
# dockerd of an ordinary container outlives the job, and the pod with it: so the job ends it.
END_THE_DAEMON = "docker run --detach --privileged --pid=host made sh -c 'kill 1' >/dev/null"

OPT_IN = {"dind.io/inject": "true"}
OWN_DIND, DAEMONSETS_CLIENT, HOST_SOCKET = YAML(typ="safe").load_all(
    Path(__file__).with_name("article.yaml")
)
# What is left when its author deletes the container dind.
WITHOUT_DIND = OWN_DIND["spec"] | {"containers": OWN_DIND["spec"]["containers"][1:]}


@dataclass(frozen=True)
class Way:
    """A pod of Li Zhiyu's article, and how it opts in.

    Attributes:
        spec: the pod's; its last container is the job's.
        annotations: of the pod.
        labels: of the namespace.
        last: what the job does in the end.
    """

    spec: Mapping[str, Any]
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    last: str = TIDY

    def job(self) -> dict[str, Any]:
        """The pod as a Job that waits, builds, runs and saves."""
        *others, client = self.spec["containers"]
        client = client | {"args": ["-c", f"{SCRIPT}\n{self.last}"]}
        spec = {**self.spec, "containers": [*others, client], "restartPolicy": "Never"}
        template = {"metadata": {"annotations": dict(self.annotations)}, "spec": spec}
        return {"metadata": {"name": "job"}, "spec": {"backoffLimit": 0, "template": template}}


WAYS = {
    "annotation": Way(WITHOUT_DIND, annotations=OPT_IN),
    "label": Way(WITHOUT_DIND, labels=OPT_IN),
    "node": Way(DAEMONSETS_CLIENT["spec"], annotations=OPT_IN | {"dind.io/profile": "node"}),
    "own dind": Way(OWN_DIND["spec"], annotations=OPT_IN, last=END_THE_DAEMON),
    "host socket": Way(HOST_SOCKET["spec"], labels=OPT_IN),
}


def completed_pod(cluster: Cluster, namespace: str, *, seconds: float = 180) -> dict[str, Any]:
    """Waits until a namespace's Job is complete and has said what it should; gives its pod."""
    job = f"/apis/batch/v1/namespaces/{namespace}/jobs/job"

    def ended() -> bool:
        conditions = cluster.client.get(job).json()["status"].get("conditions", [])
        true = {condition["type"] for condition in conditions if condition["status"] == "True"}
        if "Failed" in true:
            raise TimeoutError("the Job failed")
        return "Complete" in true

    try:
        until(ended, "the Job to complete", seconds=seconds)
    except TimeoutError as late:
        # Its events say why it has no pod, if it has none.
        output = [cluster.kubectl("describe", f"--namespace={namespace}", "job").stdout]
        output += [
            story(cluster, namespace, p["metadata"]["name"]) for p in pods(cluster, namespace)
        ]
        raise AssertionError("\n".join([str(late), *output])) from late

    (pod,) = pods(cluster, namespace)
    logs = ("logs", f"--namespace={namespace}", pod["metadata"]["name"], "--container=clean-ci")
    assert cluster.kubectl(*logs).stdout.splitlines() == SAID
    return pod


def pods(cluster: Cluster, namespace: str) -> list[dict[str, Any]]:
    """The pods of a namespace."""
    listed = cluster.client.get(f"/api/v1/namespaces/{namespace}/pods").raise_for_status()
    found: list[dict[str, Any]] = listed.json()["items"]
    return found


def mode(pod: dict[str, Any]) -> str | None:
    """The mode in which the webhook injected a pod, if it did."""
    status = pod["metadata"].get("annotations", {}).get("dind.io/status")
    return None if status is None else json.loads(status)["mode"]
