"""Mirrors, CAs, credentials and proxies of a profile, with real registries."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import trustme
from node.cluster import Cluster
from node.conftest import new_namespace
from node.doing import IDLE, await_event, in_container
from node.images import CLI, PYTHON_CLIENTS
from node.injecting import MAKE_IMAGE, injected, job
from node.pods import await_phase, create
from node.registries import (
    PASSWORD,
    USER,
    Registry,
    pull_and_run,
    reaching,
    start_proxy,
    start_registry,
    store_login,
)

pytestmark = pytest.mark.node

SECRET = "mirror"
SAID = "a build step ran\n"
IN_PLAIN = ("plain.test:5000/team/app", "plain.test:5000/proxy/quay/app")
FORGET = """docker buildx prune --all --force >/dev/null
    docker image rm --force app other.test/team/app quay.test/app >/dev/null 2>&1"""


@dataclass(frozen=True)
class Place:
    """A namespace with a Secret for the mirror `mirror.test`, and registries.

    Attributes:
        ca: issued the certificates of those with TLS.
        mirror: needs credentials.
        plain: has no TLS.
        origin: has a private CA.
    """

    cluster: Cluster
    namespace: str
    directory: Path
    ca: str
    mirror: Registry
    plain: Registry
    origin: Registry

    @property
    def registries(self) -> list[Registry]:
        """All of them."""
        return [self.mirror, self.plain, self.origin]

    def create(
        self, name: str, profile: dict[str, Any], known: Iterable[Registry], image: str = CLI
    ) -> None:
        """Creates an injected pod that knows the names of these registries."""
        config = self.directory / f"{name}.json"
        config.write_text(json.dumps({"profiles": {"default": profile}}), encoding="utf-8")
        manifest = reaching(injected(job(name, IDLE, image=image), config), known)
        create(self.cluster, self.namespace, manifest)

    def start(
        self, name: str, profile: dict[str, Any], known: Iterable[Registry], image: str = CLI
    ) -> None:
        """Creates the pod and waits until it runs."""
        self.create(name, profile, known, image)
        await_phase(self.cluster, self.namespace, name, "Running")

    def run(self, name: str, script: str) -> str:
        """Runs a script in the job's container; returns its output."""
        return in_container(self.cluster, self.namespace, name, "job", script)

    def push(self, *images: str) -> None:
        """Pushes the image `made` under these names, from the pod `filler`."""
        lines = [f"docker tag made {image}\ndocker push --quiet {image}\n" for image in images]
        self.run("filler", "set -e\n" + "".join(lines))

    def own(self) -> dict[str, Any]:
        """Settings of the registries themselves, as a job that pushes to them needs."""
        return {
            self.mirror.host: {"ca": self.ca, "authSecret": SECRET},
            self.plain.host: {"insecure": True},
            self.origin.host: {"ca": self.ca},
        }

    def mirrors(self) -> dict[str, Any]:
        """Mirrors of four registries, of which only `origin.test` exists."""
        plain = {"url": "http://plain.test:5000"}
        quay = {"url": "http://plain.test:5000/v2/proxy/quay", "overridePath": True}
        return {
            "docker.io": {
                "mirrors": [{"url": "https://mirror.test"}],
                "ca": self.ca,
                "authSecret": SECRET,
            },
            "other.test": {"mirrors": [plain]},
            "quay.test": {"mirrors": [quay]},
            "origin.test": {"mirrors": [plain], "ca": self.ca},
        }


@pytest.fixture(scope="module")
def place(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    ca = trustme.CA()
    with new_namespace(cluster) as namespace:
        store_login(cluster, namespace, SECRET)
        place = Place(
            cluster,
            namespace,
            tmp_path_factory.mktemp("profiles"),
            ca.cert_pem.bytes().decode(),
            start_registry(cluster, namespace, "mirror.test", ca=ca, users=True),
            start_registry(cluster, namespace, "plain.test:5000"),
            start_registry(cluster, namespace, "origin.test", ca=ca),
        )
        place.start("filler", {"registries": place.own()}, place.registries)
        place.run("filler", MAKE_IMAGE)
        place.push("mirror.test/library/app", "origin.test/team/app", *IN_PLAIN)
        yield place


@pytest.fixture(scope="module")
def mirrored(place: Place) -> Place:
    """The place with the pod `mirrored`, whose registries have mirrors."""
    place.start("mirrored", {"registries": place.mirrors()}, place.registries)
    return place


@pytest.mark.parametrize(
    "image",
    ["app", "library/app", "docker.io/library/app", "other.test/team/app", "quay.test/app"],
)
def test_job_pulls_through_the_mirror_of_each_registry(mirrored: Place, image: str) -> None:
    assert mirrored.run("mirrored", pull_and_run(image)) == SAID


@pytest.mark.parametrize("build", ["docker build", "docker buildx build"])
def test_job_builds_from_images_of_mirrors(mirrored: Place, build: str) -> None:
    script = f"""
    {FORGET}
    mkdir -p /tmp/from && cd /tmp/from
    printf 'FROM app AS a\\nFROM quay.test/app\\nCOPY --from=a /said /a\\nRUN cat /a' >Dockerfile
    {build} --quiet --tag from . >/dev/null && docker run --rm from cat /a
    """
    assert mirrored.run("mirrored", script) == SAID


def test_compose_builds_and_runs_images_of_mirrors(mirrored: Place) -> None:
    script = f"""
    {FORGET}
    mkdir -p /tmp/compose && cd /tmp/compose
    echo 'FROM app' >Dockerfile
    cat >compose.yaml <<'END'
    services:
      built: {{build: ., command: cat /said}}
      pulled: {{image: other.test/team/app, command: cat /said}}
    END
    for service in built pulled; do
      docker compose --progress quiet run --rm $service
    done
    """
    assert mirrored.run("mirrored", dedent(script)) == 2 * SAID


def test_testcontainers_runs_an_image_of_a_mirror(mirrored: Place) -> None:
    mirrors = {"registries": mirrored.mirrors()}
    mirrored.start("testcontainers", mirrors, mirrored.registries, image=PYTHON_CLIENTS)
    script = """
    cat >/tmp/run.py <<'END'
    from testcontainers.core.container import DockerContainer
    with DockerContainer("quay.test/app").with_command("cat /said") as container:
        container.get_wrapped_container().wait()
        print(container.get_logs()[0].decode(), end="")
    END
    TESTCONTAINERS_RYUK_DISABLED=true python3 /tmp/run.py
    """
    assert mirrored.run("testcontainers", dedent(script)) == SAID


def test_a_mirror_does_not_answer_for_another_registry(mirrored: Place) -> None:
    script = "docker pull unknown.test/team/app 2>&1 || echo failed"
    assert mirrored.run("mirrored", script).endswith("failed\n")


def gets_of_content(registry: Registry) -> list[str]:
    """Requests for manifests and layers; dockerd also asks each registry for referrers."""
    kinds = ("/manifests/", "/blobs/")
    gets = [line for line in registry.requests() if line.startswith("GET ")]
    return [line for line in gets if any(kind in line for kind in kinds)]


def test_pulls_fall_back_to_the_registry_while_its_mirror_is_down(mirrored: Place) -> None:
    image = "origin.test/team/app"
    pull = f"docker image rm --force {image} >/dev/null 2>&1\n{pull_and_run(image)}"
    assert mirrored.run("mirrored", pull) == SAID
    assert gets_of_content(mirrored.origin) == []
    mirrored.plain.stop()
    try:
        assert mirrored.run("mirrored", pull) == SAID
        assert gets_of_content(mirrored.origin) != []
    finally:
        mirrored.plain.start()  # empty
        mirrored.push(*IN_PLAIN)


def test_docker_login_works_with_a_private_ca(mirrored: Place) -> None:
    script = f"echo {PASSWORD} | docker login --username {USER} --password-stdin mirror.test 2>&1"
    mirrored.start("login", {"registries": {"mirror.test": {"ca": mirrored.ca}}}, [mirrored.mirror])
    assert "Login Succeeded" in mirrored.run("login", script)


def test_daemon_uses_the_proxy_and_trusts_the_ca_certificates(place: Place) -> None:
    """The pod knows only the proxy, as behind one that intercepts TLS."""
    proxy = start_proxy(place.cluster, place.namespace, [place.origin])
    profile = {
        "caCertificates": place.ca,
        "jobCertificates": {"file": True, "environment": ["SSL_CERT_FILE"]},
        "daemon": {"proxy": {"https": proxy.url}, "config": {"labels": ["team=b"]}},
    }
    place.start("proxied", profile, [])
    assert place.run("proxied", pull_and_run("origin.test/team/app")) == SAID
    assert "CONNECT origin.test:443" in proxy.requests()
    assert place.run("proxied", 'cat "$SSL_CERT_FILE"') == place.ca
    info = "docker info --format '{{.Labels}} {{.HTTPSProxy}}'"
    assert place.run("proxied", info) == f"[team=b] {proxy.url}\n"


def test_a_missing_secret_is_named_in_an_event(place: Place) -> None:
    place.create("waiting", {"registries": {"registry.test": {"authSecret": "absent"}}}, [])
    event = await_event(place.cluster, place.namespace, "waiting", "FailedMount")
    assert event["message"] == (
        'MountVolume.SetUp failed for volume "dind-registry-auth" : secret "absent" not found'
    )
