"""Registries in the cluster (CNCF distribution), and an HTTP proxy that logs what passes it.

The cluster has no DNS. `reaching` gives a pod the names of registries in /etc/hosts.
"""

import json
import re
import sys
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme
from kube.waiting import until
from node import connect_proxy
from node.cluster import Cluster
from node.doing import in_container
from node.images import PYTHON, REGISTRY
from node.injecting import MAKE_IMAGE
from node.pods import await_phase, create, pod, status, story

USER, PASSWORD = "ci", "secret"
_HTPASSWD = f"{USER}:$2a$04$8ioV3J5XLDZuyGJbg6gGn.fWYnaU9L1N.hDyL4sTVxriYZIKUTnRe\n"

_PROXY_PORT = 3128
_FILES = "/etc/distribution"
_REQUEST = re.compile(r'"([A-Z]+ \S+) HTTP/[\d.]+" (\d+) ')
_CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
    print("connected")
except OSError as error:
    print(type(error).__name__)
"""


@dataclass(frozen=True)
class Server:
    """A server in a pod, behind a Service of the same name.

    Attributes:
        cluster: where it runs.
        namespace: of pod and Service.
        host: the name by which clients know it, with the port if it is not the scheme's own.
        address: the address of its Service, which outlives the pod.
        port: of pod and Service.
        manifest: of the pod.
    """

    cluster: Cluster
    namespace: str
    host: str
    address: str
    port: int
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of the pod and of the Service."""
        name: str = self.manifest["metadata"]["name"]
        return name

    def start(self) -> None:
        """Creates the pod and waits until the Service leads to it.

        Raises:
            AssertionError: it does not, in time; with the pod's description and logs.
        """
        create(self.cluster, self.namespace, self.manifest)
        await_phase(self.cluster, self.namespace, self.name, "Running")
        self._select(self.manifest["metadata"]["labels"])
        try:
            self.await_outcome("connected")
        except TimeoutError as late:
            raise AssertionError(
                f"{late}\n{story(self.cluster, self.namespace, self.name)}"
            ) from late

    def stop(self) -> None:
        """Lets the Service refuse connections, then kills the pod, with its log."""
        self._refuse()
        where = f"--namespace={self.namespace}"
        self.cluster.kubectl("delete", where, "pod", self.name, "--force", "--grace-period=0")

    def signal(self, name: str) -> None:
        """Sends a signal to its process: SIGSTOP lets it accept connections and not answer."""
        (container,) = status(self.cluster, self.namespace, self.name)["containerStatuses"]
        task = container["containerID"].removeprefix("containerd://")
        self.cluster.ctr("tasks", "kill", f"--signal={name}", task)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """During the block, the Service refuses connections, and the pod runs on."""
        self._refuse()
        yield
        self._select(self.manifest["metadata"]["labels"])
        self.await_outcome("connected")

    def _refuse(self) -> None:
        # While the pod lives, only kube-proxy can refuse. A pod that dies refuses, too, but then
        # loses packets until kube-proxy knows.
        self._select({"app": "none"})
        self.await_outcome("ConnectionRefusedError")

    def _select(self, labels: Mapping[str, str]) -> None:
        patch = json.dumps({"spec": {"selector": labels}})
        where = f"--namespace={self.namespace}"
        self.cluster.kubectl("patch", where, "service", self.name, f"--patch={patch}")

    def log(self) -> str:
        """What it has logged since its start."""
        return self.cluster.kubectl("logs", f"--namespace={self.namespace}", self.name).stdout

    def await_outcome(self, outcome: str) -> None:
        """Waits for the outcome of a connection to the Service.

        Args:
            outcome: `connected`, or the name of an exception.
        """
        connect = (sys.executable, "-c", _CONNECT, self.address, str(self.port))
        until(
            lambda: self.cluster.on_node(*connect).strip() == outcome,
            f"{outcome} at {self.host}",
            seconds=120,
        )


@dataclass(frozen=True)
class Registry(Server):
    """A registry.

    Attributes:
        ca: the CA of its certificate, PEM; empty for plain HTTP.
    """

    ca: str = field(repr=False)

    @property
    def url(self) -> str:
        """Its URL, without a path."""
        return f"{'https' if self.ca else 'http'}://{self.host}"

    def requests(self) -> list[str]:
        """Requests of clients since its start, such as `GET /v2/made/manifests/1 200`."""
        return [" ".join(found) for found in _REQUEST.findall(self.log())]


class Proxy(Server):
    """An HTTP proxy."""

    @property
    def url(self) -> str:
        """Its URL, which needs no name."""
        return f"http://{self.address}:{self.port}"

    def requests(self) -> list[str]:
        """Requests since its start, such as `CONNECT registry.test:443`."""
        return [line for line in self.log().splitlines() if not line.startswith("failed:")]


def start_registry(
    cluster: Cluster,
    namespace: str,
    host: str,
    *,
    ca: trustme.CA | None = None,
    users: bool = False,
    upstream: Registry | None = None,
) -> Registry:
    """Starts an empty registry and waits until it answers.

    Args:
        cluster: where.
        namespace: of its pod.
        host: its name in image names, such as registry.test or registry.test:5000.
        ca: issues a certificate for its name and address; None: it serves plain HTTP.
        users: only USER with PASSWORD may pull and push.
        upstream: it is a cache of this registry, which must be running.
    """
    name, _, port = host.partition(":")
    number = int(port or (443 if ca else 80))
    pod_name = name.replace(".", "-")
    address = _service(cluster, namespace, pod_name, number)
    config: dict[str, Any] = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": "/var/lib/registry"}},
        "http": {"addr": f":{number}"},
    }
    files = {}
    if ca:
        certificate = ca.issue_cert(name, address)
        files["tls.pem"] = certificate.private_key_and_cert_chain_pem.bytes().decode()
        config["http"]["tls"] = dict.fromkeys(("certificate", "key"), f"{_FILES}/tls.pem")
    if users:
        files["htpasswd"] = _HTPASSWD
        config["auth"] = {"htpasswd": {"realm": "test", "path": f"{_FILES}/htpasswd"}}
    environment = []
    if upstream:
        config["proxy"] = {"remoteurl": upstream.url}
        files["upstream-ca.crt"] = upstream.ca
        environment.append({"name": "SSL_CERT_FILE", "value": f"{_FILES}/upstream-ca.crt"})
    files["config.yml"] = json.dumps(config)

    manifest = pod(
        pod_name,
        {
            "name": "registry",
            "image": REGISTRY,
            "env": environment,
            "volumeMounts": [{"name": "files", "mountPath": _FILES}],
        },
        volumes=[{"name": "files", "secret": {"secretName": name}}],
    )
    reaching(manifest, [upstream] if upstream else [])
    secret = {"metadata": {"name": name}, "stringData": files}
    cluster.client.post(f"/api/v1/namespaces/{namespace}/secrets", json=secret).raise_for_status()
    pem = ca.cert_pem.bytes().decode() if ca else ""
    registry = Registry(cluster, namespace, host, address, number, manifest, pem)
    registry.start()
    return registry


def store_login(cluster: Cluster, namespace: str, name: str) -> None:
    """Creates the Secret with which the daemon or a cache logs in to a registry with users."""
    secret = {
        "metadata": {"name": name},
        "type": "kubernetes.io/basic-auth",
        "stringData": {"username": USER, "password": PASSWORD},
    }
    cluster.client.post(f"/api/v1/namespaces/{namespace}/secrets", json=secret).raise_for_status()


def pull_and_run(image: str) -> str:
    """A script that pulls an image made by MAKE_IMAGE and prints what its build has written."""
    return f"docker pull --quiet {image} >/dev/null && docker run --rm {image} cat /said"


def start_proxy(cluster: Cluster, namespace: str, registries: Iterable[Registry]) -> Proxy:
    """Starts a proxy that resolves the names of these registries."""
    script = Path(connect_proxy.__file__).read_text()
    command = ["python3", "-c", script, str(_PROXY_PORT)]
    manifest = reaching(
        pod("proxy", {"name": "proxy", "image": PYTHON, "command": command}), registries
    )
    address = _service(cluster, namespace, "proxy", _PROXY_PORT)
    proxy = Proxy(cluster, namespace, "proxy", address, _PROXY_PORT, manifest)
    proxy.start()
    return proxy


def reaching(manifest: dict[str, Any], registries: Iterable[Registry]) -> dict[str, Any]:
    """The pod, in which the names of these registries are known."""
    aliases = manifest["spec"].setdefault("hostAliases", [])
    aliases += [{"ip": r.address, "hostnames": [r.host.partition(":")[0]]} for r in registries]
    return manifest


def trust(cluster: Cluster, namespace: str, name: str, registries: Iterable[Registry]) -> None:
    """Lets the daemon of a running injected pod use these registries; replaces their settings."""
    for registry in registries:
        directory = f"/etc/docker/certs.d/{registry.host}"
        lines = [f'server = "{registry.url}"']
        if registry.ca:
            lines.append(f'ca = "{directory}/ca.crt"')
        script = f"mkdir -p {directory}"
        for file, text in {"hosts.toml": "\n".join(lines), "ca.crt": registry.ca}.items():
            if text:
                encoded = b64encode(text.encode()).decode()
                script += f" && echo {encoded} | base64 -d >{directory}/{file}"
        in_container(cluster, namespace, name, "dind", script)


def fill(
    cluster: Cluster,
    namespace: str,
    name: str,
    images: Sequence[str],
    registries: Sequence[Registry],
    *,
    build: str = MAKE_IMAGE,
) -> None:
    """Pushes the image `made` under these names, from a running injected pod that knows the hosts.

    Args:
        cluster: where.
        namespace: of the pod.
        name: of the pod.
        images: such as registry.test/team/app:1.
        registries: those of the names.
        build: makes the image.
    """
    trust(cluster, namespace, name, registries)
    pushes = "".join(f"docker tag made {image}\ndocker push --quiet {image}\n" for image in images)
    in_container(cluster, namespace, name, "job", f"{build}{pushes}")


def _service(cluster: Cluster, namespace: str, name: str, port: int) -> str:
    """Creates the Service of a pod; returns its address."""
    service = {
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": port}]},
    }
    answer = cluster.client.post(f"/api/v1/namespaces/{namespace}/services", json=service)
    address: str = answer.raise_for_status().json()["spec"]["clusterIP"]
    return address
