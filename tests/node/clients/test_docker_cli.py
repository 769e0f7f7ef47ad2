"""The docker command, as a job uses it."""

import pytest
from node.cluster import Cluster
from node.images import BUSYBOX
from node.injecting import MAKE_IMAGE, job
from node.pods import completed

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("product")]

SHARE_A_DIRECTORY = """
echo from the job >mine
docker run --rm --volume "$PWD":/w --workdir /w made sh -c 'cat mine; echo from within >theirs'
cat theirs
"""
COPY_EXEC_AND_LOGS = """
docker run --detach --name box made sh -c 'until [ -s /in ]; do sleep 0.1; done; cat /in' >/dev/null
docker exec box cat /said
echo copied in >in && docker cp --quiet in box:/in
docker wait box
docker logs box
docker cp box:/said - | tar -xO
"""
SAVE_AND_LOAD = """
docker save --output made.tar made
docker rmi made >/dev/null
docker load --quiet --input made.tar
docker run --rm made cat /said
"""
MEMORY = """
limit='cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || :'
docker run --detach --name box --memory 64m made sh -c "$limit" >/dev/null
docker wait box >/dev/null
docker logs box
"""

# As the reaper of Testcontainers gets it. A container may ask before it is listed as running.
HAND_THE_SOCKET_ON = """
cp /usr/local/bin/docker docker
printf 'FROM scratch\\nCOPY docker /docker\\n' >client
docker build --quiet --tag client --file client . >/dev/null
socket=${DOCKER_HOST#unix://}
docker run --rm --volume $socket:/var/run/docker.sock client /docker ps --all --format '{{.Image}}'
"""


@pytest.mark.parametrize(
    ("script", "printed"),
    [
        (SHARE_A_DIRECTORY, "from the job\nfrom within\n"),
        (COPY_EXEC_AND_LOGS, "a build step ran\n0\ncopied in\na build step ran\n"),
        (SAVE_AND_LOAD, "Loaded image: made:latest\na build step ran\n"),
        (MEMORY, f"{64 << 20}\n"),
        (HAND_THE_SOCKET_ON, "client\n"),
    ],
    ids=[
        "a directory of the job",
        "cp, exec and logs",
        "save and load",
        "a container's memory",
        "the socket in a container",
    ],
)
def test_docker_command_works(cluster: Cluster, namespace: str, script: str, printed: str) -> None:
    work = [{"name": "work", "mountPath": "/tmp/job"}]
    manifest = job("command", MAKE_IMAGE + script, volumeMounts=work)
    manifest["spec"]["volumes"] = [{"name": "work", "emptyDir": {}}]
    assert completed(cluster, namespace, manifest) == printed


def test_published_port_answers_on_localhost_of_the_pod(cluster: Cluster, namespace: str) -> None:
    serve = "docker run --detach --publish 8080:80 made busybox httpd -f -p 80 -h /"
    manifest = job("published", f"{MAKE_IMAGE}{serve}")
    look = "until wget -q -O - localhost:8080/said 2>/dev/null; do sleep 0.1; done"
    reader = {"name": "reader", "image": BUSYBOX, "command": ["sh", "-c", look]}
    manifest["spec"]["containers"].insert(0, reader)
    assert completed(cluster, namespace, manifest) == "a build step ran\n"
