"""The configuration of the Docker client: credentials from a Secret, proxies, and builders."""

import json
import os
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from kube.waiting import until
from node.cluster import Cluster
from node.conftest import new_namespace
from node.doing import IDLE, await_event, in_container, restarts
from node.images import CLI, PYTHON_CLIENTS
from node.injecting import MAKE_IMAGE, injected
from node.pods import await_phase, create, pod
from node.registries import PASSWORD, USER, Registry, reaching, start_registry
from pages import blocks

from tools.build import ensure

pytestmark = pytest.mark.node

SECRET = "registry-credentials"
CREDENTIALS = {
    "secretName": SECRET,
    "containers": ["root", "non-root", "suite", "elsewhere", "homeless"],
}
DIRECTORY = "/etc/dind/docker"
HOME = {"name": "HOME", "value": "/tmp/home"}
NON_ROOT = {"securityContext": {"runAsUser": 1000}, "env": [HOME]}
PUSH = f"{MAKE_IMAGE}docker tag made {{0}}\ndocker push --quiet {{0}}\n"
PULL = "docker image rm {0} >/dev/null\ndocker pull --quiet {0}\n"
BUILD = """
echo 'FROM {0}' >from
docker buildx prune --all --force >/dev/null
docker image rm {0} >/dev/null
docker buildx build --quiet --file from --push --tag {0}-built . >/dev/null
docker pull --quiet {0}-built
"""
COMPOSE = """
echo 'services: {{app: {{image: "{0}"}}}}' >compose.yaml
docker compose pull --quiet 2>/dev/null
docker run --rm {0} cat /said
"""
LOG_IN = f"echo {PASSWORD} | docker login --username {USER} --password-stdin {{0}} 2>&1"
DENIED = "no basic auth credentials"
PROXY = "http://proxy.test:3128"
USERS = pytest.mark.parametrize("container", ["root", "non-root"])


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[str]:
    """The namespace of the pod `job` and of the registries."""
    with new_namespace(cluster) as namespace:
        yield namespace


@pytest.fixture(scope="module")
def registries(cluster: Cluster, place: str) -> list[Registry]:
    """Two private registries; the Secret has credentials for the first."""
    ca = trustme.CA()
    hosts = ("private.test", "other.test")
    return [start_registry(cluster, place, host, ca=ca, users=True) for host in hosts]


@pytest.fixture(scope="module")
def config(registries: list[Registry], tmp_path_factory: pytest.TempPathFactory) -> Path:
    profile = {
        "registryCredentials": CREDENTIALS,
        "registries": {registry.host: {"ca": registry.ca} for registry in registries},
    }
    path: Path = tmp_path_factory.mktemp("config") / "config.yaml"
    path.write_text(json.dumps({"profiles": {"default": profile}}), encoding="utf-8")
    return path


@pytest.fixture(scope="module", autouse=True)
def running(cluster: Cluster, place: str, config: Path, registries: list[Registry]) -> None:
    """A pod whose containers have the socket, one of them elsewhere; one gets no credentials."""
    store_secret(cluster, place)
    mount = {"name": "run", "mountPath": "/var/run"}
    containers: list[dict[str, Any]] = [
        {"name": "root", "image": CLI},
        {"name": "non-root", "image": CLI, **NON_ROOT},
        {"name": "suite", "image": PYTHON_CLIENTS, **NON_ROOT},
        {"name": "elsewhere", "image": CLI, "volumeMounts": [mount]},
        {"name": "database", "image": CLI},
        {"name": "homeless", "image": CLI, "securityContext": {"runAsUser": 1000}},
    ]
    for container in containers:
        container["command"] = ["sh", "-c", IDLE]
    volumes = [{"name": "run", "emptyDir": {}}]
    manifest = reaching(pod("job", *containers, volumes=volumes), registries)
    create(cluster, place, injected(opted_in(manifest), config))
    await_phase(cluster, place, "job", "Running")


def opted_in(manifest: dict[str, Any]) -> dict[str, Any]:
    manifest["metadata"]["annotations"] = {"dind.io/inject": "true"}
    return manifest


def commands(containing: str) -> str:
    """The block of docs/administrators/registries.md that contains a text."""
    (block,) = (
        block
        for block in blocks()
        if containing in block.text and block.page == "docs/administrators/registries.md"
    )
    return block.text


def store_secret(cluster: Cluster, namespace: str) -> None:
    """Creates the Secret with the command of docs/administrators/registries.md."""
    text = commands("create secret docker-registry").replace("registry.example.com", "private.test")
    subprocess.run(
        ["sh", "-ec", text.replace("-n ci ", f"-n {namespace} ")],
        env={
            "PATH": f"{ensure('kubectl').parent}:{os.environ['PATH']}",
            "HOME": str(cluster.directory),
            "KUBECONFIG": str(cluster.kubeconfig),
            "REGISTRY_USER": USER,
            "REGISTRY_PASSWORD": PASSWORD,
        },
        check=True,
    )


@USERS
def test_chosen_containers_pull_build_and_push_without_a_login(
    cluster: Cluster, place: str, container: str
) -> None:
    image = f"private.test/{container}:1"
    script = "".join(text.format(image) for text in (PUSH, PULL, BUILD, COMPOSE))
    answer = in_container(cluster, place, "job", container, script)
    built = f"{image}-built"
    assert answer == f"{image}\n{image}\n{built}\na build step ran\n"


def test_other_containers_with_the_socket_get_no_credentials(cluster: Cluster, place: str) -> None:
    script = f"docker pull --quiet private.test/app 2>&1 || true\n{MAKE_IMAGE}"
    script += (
        "docker tag made private.test/app\ndocker push --quiet private.test/app 2>&1 || true\n"
    )
    script += f"ls {DIRECTORY} 2>&1 || true"
    answer = in_container(cluster, place, "job", "database", script)
    assert answer.count(DENIED) == 2
    assert answer.endswith("No such file or directory\n")
    assert "DOCKER_CONFIG" not in in_container(cluster, place, "job", "database", "env")


def test_nested_containers_and_build_steps_get_no_credentials(cluster: Cluster, place: str) -> None:
    script = (
        MAKE_IMAGE
        + """
cat >env <<'END'
FROM made
RUN echo "build $DOCKER_CONFIG" >/env
END
docker build --quiet --no-cache --file env --tag env . >/dev/null
docker run --rm env cat /env
docker run --rm env sh -c 'echo "run $DOCKER_CONFIG"'
docker run --rm -v /etc/dind/docker:/seen made sh -c 'echo /seen/*'
"""
    )
    answer = in_container(cluster, place, "job", "root", script)
    assert answer == "build \nrun \n/seen/*\n"


@USERS
def test_login_to_another_registry_works_beside_the_credentials(
    cluster: Cluster, place: str, container: str
) -> None:
    script = f"""{MAKE_IMAGE}
for image in other.test/{container} private.test/{container}; do docker tag made $image; done
docker push --quiet other.test/{container} 2>&1 || true
{LOG_IN.format("other.test")} | grep Succeeded
docker push --quiet other.test/{container}
docker push --quiet private.test/{container}
"""
    denied, *rest = in_container(cluster, place, "job", container, script).splitlines()
    assert DENIED in denied
    pushed = [f"{registry}/{container}:latest" for registry in ("other.test", "private.test")]
    assert rest == ["Login Succeeded", *pushed]


@USERS
def test_files_of_the_job_and_later_logins_replace_the_credentials(
    cluster: Cluster, place: str, container: str
) -> None:
    bad = b64encode(b"ci:bad").decode()
    config = json.dumps({"auths": {"private.test": {"auth": bad}}})
    script = f"""
cp $DOCKER_CONFIG/config.json /tmp/before
REGISTRY_CONFIG='{config}'
{commands("REGISTRY_CONFIG")}
docker pull --quiet private.test/absent 2>&1 || true
{LOG_IN.format("private.test")} | grep -c -e Succeeded -e Warn
docker pull --quiet private.test/absent 2>&1 || true
cat /tmp/before >$DOCKER_CONFIG/config.json
"""
    own, lines, after = in_container(cluster, place, "job", container, script).splitlines()
    assert "401 Unauthorized" in own
    assert lines == "1"
    assert "not found" in after


@USERS
def test_plugins_in_the_home_directory_are_found(
    cluster: Cluster, place: str, container: str
) -> None:
    script = """
mkdir -p ~/.docker/cli-plugins
cat >~/.docker/cli-plugins/docker-hello <<'END'
#!/bin/sh
[ "$1" = docker-cli-plugin-metadata ] || exec echo hello
echo '{"SchemaVersion": "0.1.0", "Vendor": "test"}'
END
chmod +x ~/.docker/cli-plugins/docker-hello
docker hello
"""
    assert in_container(cluster, place, "job", container, script) == "hello\n"


def test_plugins_of_the_system_are_found_without_a_known_home(cluster: Cluster, place: str) -> None:
    """A user who may not enter the home directory of root."""
    version = in_container(cluster, place, "job", "homeless", "docker buildx version")
    assert "buildx" in version


def test_logins_survive_a_restart_of_the_sidecar(
    cluster: Cluster, namespace: str, config: Path
) -> None:
    store_secret(cluster, namespace)
    script = "echo '{\"changed\": true}' >$DOCKER_CONFIG/config.json\n" + IDLE
    container = {"name": "root", "image": CLI, "command": ["sh", "-c", script]}
    create(cluster, namespace, injected(opted_in(pod("restarted", container)), config))
    await_phase(cluster, namespace, "restarted", "Running")
    in_container(cluster, namespace, "restarted", "dind", "kill -9 $(pidof dockerd)")
    until(lambda: restarts(cluster, namespace, "restarted") == 1, "the next start", seconds=240)
    script = """
until docker version >/dev/null 2>&1; do sleep 0.1; done
cat $DOCKER_CONFIG/config.json
"""
    answer = in_container(cluster, namespace, "restarted", "root", script)
    assert answer == '{"changed": true}\n'


def test_docker_sdk_and_testcontainers_need_no_settings(cluster: Cluster, place: str) -> None:
    image = "private.test/suite:1"
    in_container(cluster, place, "job", "root", PUSH.format(image))
    script = f"""
cat >/tmp/pull.py <<'END'
import docker
print("{image}" in docker.from_env().images.pull("{image}").tags)
docker.from_env().images.remove("{image}", force=True)
END
cat >/tmp/run.py <<'END'
from testcontainers.core.container import DockerContainer
with DockerContainer("{image}").with_command("cat /said") as container:
    print(container.get_wrapped_container().wait()["StatusCode"])
END
python3 /tmp/pull.py
TESTCONTAINERS_RYUK_DISABLED=true python3 /tmp/run.py
"""
    answer = in_container(cluster, place, "job", "suite", script)
    assert answer == "True\n0\n"


@pytest.mark.parametrize("container", ["root", "non-root", "elsewhere"])
def test_builders_that_jobs_create_get_the_registries_by_default(
    cluster: Cluster, place: str, container: str
) -> None:
    """What is in the file is tested without a BuildKit; here, buildx accepts it."""
    script = "docker buildx create --name own >/dev/null\ndocker buildx inspect own\n"
    expect_registries(in_container(cluster, place, "job", container, script))


@pytest.mark.parametrize("how", ["flag", "link"])
def test_other_containers_name_the_file_or_have_a_link(
    cluster: Cluster, place: str, how: str
) -> None:
    link = "ln -s /var/run/buildkitd.toml ~/.docker/buildx/buildkitd.default.toml"
    prepare = f"mkdir -p ~/.docker/buildx\n{link}" if how == "link" else ""
    flag = "--buildkitd-config /var/run/buildkitd.toml" if how == "flag" else ""
    script = f"{prepare}\ndocker buildx create --name {how} {flag} >/dev/null\n"
    script += f"docker buildx inspect {how}\nrm -rf ~/.docker/buildx\n"
    expect_registries(in_container(cluster, place, "job", "database", script))


def expect_registries(described: str) -> None:
    """Expects the CAs of both registries in the description of a builder."""
    assert "ca = ['/etc/buildkit/certs/private.test/ca-0.crt']" in described
    assert "File#certs/private.test/ca-0.crt:" in described
    assert "File#certs/other.test/ca-1.crt:" in described


ENVIRONMENT = f"""{MAKE_IMAGE}
cat >env <<'END'
FROM made
RUN echo "build $HTTP_PROXY $https_proxy $no_proxy" >/env
END
docker build --quiet --no-cache --file env --tag env . >/dev/null
docker run --rm env cat /env
docker run --rm env sh -c 'echo "run $http_proxy $HTTPS_PROXY $NO_PROXY"'
echo 'services: {{app: {{image: env, command: [sh, -c, "echo $$HTTP_PROXY"]}}}}' >compose.yaml
docker compose run --rm app 2>/dev/null
"""


@pytest.mark.parametrize("client", [True, False])
def test_build_steps_and_nested_containers_get_the_proxies_of_the_profile(
    cluster: Cluster, namespace: str, tmp_path: Path, client: bool
) -> None:
    proxy = {"http": PROXY, "https": PROXY, "noProxy": [".svc", "10.0.0.0/8"], "client": client}
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"profiles": {"default": {"daemon": {"proxy": proxy}}}}))
    containers = [
        {"name": name, "image": CLI, "command": ["sh", "-c", IDLE], **fields}
        for name, fields in (("root", {}), ("non-root", NON_ROOT))
    ]
    create(cluster, namespace, injected(opted_in(pod("proxied", *containers)), config))
    await_phase(cluster, namespace, "proxied", "Running")
    no_proxy = ".svc,10.0.0.0/8"
    seen = f"{PROXY} {PROXY} {no_proxy}" if client else "  "
    for name in ("root", "non-root"):
        answer = in_container(cluster, namespace, "proxied", name, ENVIRONMENT)
        assert answer == f"build {seen}\nrun {seen}\n{PROXY if client else ''}\n"


def test_missing_secret_is_an_event_and_the_pod_starts_when_it_is_there(
    cluster: Cluster, namespace: str, config: Path
) -> None:
    waiting = pod("waiting", {"name": "root", "image": CLI, "command": ["sh", "-c", "docker info"]})
    create(cluster, namespace, injected(opted_in(waiting), config))
    event = await_event(cluster, namespace, "waiting", "FailedMount", seconds=240)
    assert event["message"] == (
        'MountVolume.SetUp failed for volume "dind-registry-credentials" : '
        f'secret "{SECRET}" not found'
    )
    store_secret(cluster, namespace)
    await_phase(cluster, namespace, "waiting", "Succeeded", seconds=480)
