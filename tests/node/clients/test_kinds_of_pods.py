"""Pods that are more than one container of root's."""

from typing import Any

import pytest
from examples.loading import DIRECTORY
from node.clients.test_docker_cli import HAND_THE_SOCKET_ON
from node.cluster import Cluster
from node.doing import in_container
from node.images import BUSYBOX, CLI, PYTHON
from node.injecting import MAKE_CONTEXT, MAKE_IMAGE, job
from node.pods import await_phase, completed, create
from ruamel.yaml import YAML

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("product")]

RUN = "docker run --rm made cat /said"


def test_non_root_example_builds_and_runs(cluster: Cluster, namespace: str) -> None:
    manifest = example("non-root")
    # It builds from a repository, and there is none here; everything else stays as it is.
    manifest["spec"]["containers"][0]["command"] = ["sh", "-c", f"id -u\n{MAKE_IMAGE}{RUN}"]
    assert completed(cluster, namespace, manifest) == "1000\na build step ran\n"


def test_user_without_home_gets_an_error_that_docker_config_fixes(
    cluster: Cluster, namespace: str
) -> None:
    script = f"""{MAKE_CONTEXT}
        docker build --quiet . && echo built
        export DOCKER_CONFIG=/tmp/docker
        {MAKE_IMAGE}{RUN}
    """
    manifest = example("non-root")
    (container,) = manifest["spec"]["containers"]
    container.update(command=["sh", "-c", script], env=[], volumeMounts=[])
    log = completed(cluster, namespace, manifest)
    assert log == "ERROR: mkdir /.docker: permission denied\na build step ran\n"


def test_main_container_runs_the_image_that_an_init_container_built(
    cluster: Cluster, namespace: str
) -> None:
    manifest = job("prepared", RUN)
    builds = {"name": "prepare", "image": CLI, "command": ["sh", "-c", MAKE_IMAGE]}
    manifest["spec"]["initContainers"] = [builds]
    assert completed(cluster, namespace, manifest) == "a build step ran\n"


def test_containers_keep_their_own_var_run(cluster: Cluster, namespace: str) -> None:
    """Such as a server and its workers that meet at a socket there."""
    look = "until [ -e /var/run/theirs ]; do sleep 0.1; done"
    script = f"echo $DOCKER_HOST\n{MAKE_IMAGE}{RUN}\n{look}\n{HAND_THE_SOCKET_ON}"
    own = [{"name": "own", "mountPath": "/var/run"}]
    manifest = job("own", script, volumeMounts=own)
    other = {"name": "other", "image": BUSYBOX, "command": ["touch", "/var/run/theirs"]}
    manifest["spec"]["containers"].append({**other, "volumeMounts": own})
    manifest["spec"]["volumes"] = [{"name": "own", "emptyDir": {}}]
    log = completed(cluster, namespace, manifest)
    assert log == "unix:///run/dind/docker.sock\na build step ran\nclient\n"


def test_jenkins_agent_containers_share_one_workspace(cluster: Cluster, namespace: str) -> None:
    """The plugin execs a job's steps into the containers of the agent's pod, one after another."""
    manifest = example("jenkins-agent")
    containers = {container["name"]: container for container in manifest["spec"]["containers"]}
    # The agent, which runs as this user, would look for a Jenkins.
    containers["jnlp"].update(
        image=BUSYBOX, command=["sleep", "1000"], securityContext={"runAsUser": 1000}
    )
    manifest["spec"]["containers"].append({**containers["jnlp"], "name": "python", "image": PYTHON})
    name = create(cluster, namespace, manifest)
    await_phase(cluster, namespace, name, "Running")

    def step(container: str, script: str) -> str:
        enter = f"set -eu\nWORKSPACE={workspace}\ncd $WORKSPACE"
        return in_container(cluster, namespace, name, container, f"{enter}\n{script}")

    workspace = "/home/jenkins/agent/workspace/shop"
    check_out = f"{MAKE_CONTEXT}mkdir -p {workspace} && cp * {workspace}"
    in_container(cluster, namespace, name, "jnlp", check_out)
    step("build", "docker build --quiet --tag made .")
    volume = "--volume $WORKSPACE:/w --workdir /w --user 1000"
    step("build", f"docker run --rm {volume} made sh -c 'cat /said >report'")
    step("python", "python3 -c \"import shutil; shutil.copy('report', 'archived')\"")
    assert step("jnlp", "cat archived") == "a build step ran\n"


def example(name: str) -> dict[str, Any]:
    """A pod of `examples/`."""
    manifest: dict[str, Any] = YAML(typ="safe").load(DIRECTORY / f"{name}.yaml")
    return manifest
