"""The daemon of an injected pod: finds it, and asks it by the Docker CLI in its container."""

import os
from typing import Any, TypeVar

import click
import msgspec
from kubernetes.client import V1Pod
from msgspec import Struct, field

from webhook.cli.inside.access import NoAnswer, PodAccess
from webhook.cli.live import NoSuchPod, Unavailable, container_state, container_statuses
from webhook.config import Mode
from webhook.config.wording import printable
from webhook.injection import node_store, sidecar
from webhook.injection.existing import ExistingInjection, find_existing_injection
from webhook.injection.pod import Pod
from webhook.injection.socket_address import socket_address

_SECONDS = 20  # in the container; `docker system df` reads the whole image store
_SECONDS_OF_CONNECTION = 10
_LONGEST_OUTPUT = 4 * 1024 * 1024  # bytes
LONGEST_LOG = 4 * 1024 * 1024
_LONGEST_START_OF_LOG = 16 * 1024
_DEFAULT_DIRECTORY = "/var/run"  # of dockerd, if another webhook has dropped its arguments
# As in dind-wait.sh: not the one in a home directory, which may be a volume of the job.
_ENVIRONMENT = "DOCKER_CONFIG=/var/dind/docker-config"
_TIMED_OUT = (124, 137, 143)  # exit codes of `timeout`, which differ between its versions
_STORE, _NO_STORE = "dind-start: image store ", "dind-start: no image store in "


class NoDaemon(click.ClickException):
    """The pod has no Docker daemon of its own."""

    exit_code = os.EX_NOINPUT


class NestedContainer(Struct, frozen=True):
    """A container, as `docker container ls --format json` prints it."""

    id: str = field(name="ID", default="")
    name: str = field(name="Names", default="")
    image: str = field(name="Image", default="")
    command: str = field(name="Command", default="")
    state: str = field(name="State", default="")
    status: str = field(name="Status", default="")
    created: str = field(name="CreatedAt", default="")
    ports: str = field(name="Ports", default="")


class NestedImage(Struct, frozen=True):
    """An image, as `docker image ls --format json` prints it."""

    id: str = field(name="ID", default="")
    repository: str = field(name="Repository", default="")
    tag: str = field(name="Tag", default="")
    created: str = field(name="CreatedAt", default="")
    size: str = field(name="Size", default="")


class Usage(Struct, frozen=True):
    """The disk use of one kind of objects, as `docker system df --format json` prints it."""

    type: str = field(name="Type", default="")
    total: str = field(name="TotalCount", default="")
    active: str = field(name="Active", default="")
    size: str = field(name="Size", default="")
    reclaimable: str = field(name="Reclaimable", default="")


class Store(Struct, frozen=True):
    """The image store.

    Attributes:
        kind: emptyDir, pvc, node (a warm store), or unknown.
        limit: its size limit, or the storage that the PVC requests; empty if there is none.
        name: of the PVC.
        directory: on the node, of a warm store.
        state: of a warm store, such as `warm (3 jobs before)`.
    """

    kind: str
    limit: str = ""
    name: str = ""
    directory: str = ""
    state: str = ""


T = TypeVar("T", bound=Struct)


class Daemon(Struct, frozen=True):
    """A pod of a cluster with the injected container in which its daemon runs."""

    access: PodAccess
    pod: V1Pod
    injection: ExistingInjection

    @property
    def place(self) -> tuple[str, str]:
        """The pod's namespace and name."""
        return self.pod.metadata.namespace, self.pod.metadata.name

    def containers(self) -> list[NestedContainer]:
        """List the nested containers, also those that have ended."""
        return self._docker(NestedContainer, "container", "ls", "--all")

    def images(self) -> list[NestedImage]:
        """List the images."""
        return self._docker(NestedImage, "image", "ls")

    def usage(self) -> list[Usage]:
        """List what uses the disk."""
        return self._docker(Usage, "system", "df")

    def log(self, tail: int, *, previous: bool) -> bytes:
        """Read the last lines of the daemon's log, of which the first LONGEST_LOG bytes."""
        name = self.injection.container.name
        found = [status for status in container_statuses(self.pod) if status.name == name]
        restarts = found[0].restart_count if found else 0
        if previous and not restarts:
            raise Unavailable(f"{describe(self.pod)}: container {name} was not restarted")
        if not found or (not restarts and found[0].state and found[0].state.waiting):
            raise self._not_running()
        return self.access.log(self.place, name, tail=tail, longest=LONGEST_LOG, previous=previous)

    def store(self) -> Store:
        """Find the image store in the pod's spec, and the state of a warm one in the log."""
        name = self.injection.volume_at(sidecar.STORAGE_DIRECTORY)
        shared = self.injection.volume_at(node_store.DIRECTORY)
        volumes = {volume.name: volume for volume in self.pod.spec.volumes or ()}
        volume = volumes.get(shared or name)
        if volume is None:
            return Store("unknown")
        if volume.empty_dir is not None:
            return Store("emptyDir", limit=volume.empty_dir.size_limit or "")
        if volume.ephemeral is not None:
            spec = volume.ephemeral.volume_claim_template.spec
            requests = (spec.resources and spec.resources.requests) or {}
            claim = f"{self.pod.metadata.name}-{volume.name}"
            return Store("pvc", limit=requests.get("storage", ""), name=claim)
        if volume.persistent_volume_claim is not None:
            return Store("pvc", name=volume.persistent_volume_claim.claim_name)
        if shared is None or volume.host_path is None:
            return Store("unknown")
        return self._warm_store(volume.host_path.path)

    def _warm_store(self, directory: str) -> Store:
        try:
            text = self.access.log(
                self.place, self.injection.container.name, longest=_LONGEST_START_OF_LOG
            )
        except click.ClickException as error:
            return Store("node", directory=directory, state=f"unknown: {error.message}")
        return warm_store(directory, text.decode(errors="replace"))

    def _docker(self, kind: type[T], *words: str) -> list[T]:
        """Run a command of the Docker CLI that prints one object of JSON a line."""
        name = self.injection.container.name
        statuses = [status for status in container_statuses(self.pod) if status.name == name]
        if not statuses or not statuses[0].state or not statuses[0].state.running:
            raise self._not_running()
        address = socket_address(self.injection.directory or _DEFAULT_DIRECTORY)
        limit = ["env", _ENVIRONMENT, "timeout", "-s", "KILL", str(_SECONDS)]
        command = [*limit, "docker", f"--host={address}", *words, "--format", "json"]
        where = f"{describe(self.pod)}: docker in container {name}"
        try:
            execution = self.access.execute(
                self.place,
                name,
                command,
                seconds=_SECONDS + _SECONDS_OF_CONNECTION,
                longest=_LONGEST_OUTPUT,
            )
        except NoAnswer as error:
            raise Unavailable(f"{where} does not answer: {error.message}") from error
        if execution.exit_code in _TIMED_OUT:
            raise Unavailable(f"{where} does not answer: nothing within {_SECONDS} s")
        if execution.exit_code:
            errors = printable(" ".join(execution.errors[:1000].decode(errors="replace").split()))
            raise Unavailable(f"{where} ended with exit code {execution.exit_code}: {errors}")
        try:
            return parse(execution.output, kind)
        except msgspec.MsgspecError as error:
            message = printable(str(error))
            raise Unavailable(f"{where} printed something else than JSON: {message}") from error

    def _not_running(self) -> Unavailable:
        state = container_state(self.pod, self.injection.container.name)
        return Unavailable(f"{describe(self.pod)}: the daemon does not run; {state}")


def find_daemon(access: PodAccess, namespace: str, name: str) -> Daemon:
    """Find the daemon of a pod.

    Raises:
        NoSuchPod: there is no pod of that name.
        NoDaemon: it has no injected daemon, or uses that of its node.
    """
    pod = access.pod(namespace, name)
    if pod is None:
        raise NoSuchPod(f"namespace {printable(namespace)} has no pod {printable(name)}")
    injection = find_existing_injection(msgspec.convert(access.as_json(pod), Pod))
    if injection is None:
        raise NoDaemon(
            f"{describe(pod)} has no injected Docker daemon; dind-webhook explain "
            f"{printable(name)} -n {printable(namespace)} says why"
        )
    if injection.mode is Mode.NODE:
        raise NoDaemon(
            f"{describe(pod)} uses the Docker daemon of its node (mode node), which all such "
            "pods of the node share; only daemons of pods can be shown"
        )
    return Daemon(access, pod, injection)


def describe(pod: V1Pod) -> str:
    """Name a pod in a message."""
    return printable(f"pod {pod.metadata.namespace}/{pod.metadata.name}")


def parse(output: bytes, kind: type[T]) -> list[T]:
    """Parse what `docker` prints: one object of JSON a line; an array from some versions.

    Raises:
        msgspec.MsgspecError: it is something else.
    """
    lines = [line for line in output.splitlines() if line.strip()]
    if lines and lines[0].lstrip().startswith(b"["):
        return msgspec.json.decode(output, type=list[kind])  # type: ignore[valid-type]
    return [msgspec.json.decode(line, type=kind) for line in lines]


def warm_store(directory: str, log: str) -> Store:
    """Find the store in the beginning of the sidecar's log, which dind-store.sh has written."""
    for line in log.splitlines():
        if line.startswith(_NO_STORE):
            reason = line.removeprefix(_NO_STORE).partition(": ")[2]
            return Store("node", directory=directory, state=f"not used: {reason}")
        found, _, state = line.removeprefix(_STORE).partition(": ")
        is_in_use = line.startswith(f"{_STORE}{directory}/") and state
        if is_in_use and not found.endswith(" is not used again"):
            return Store("node", directory=found, state=state)
    state = "unknown: the log of the sidecar no longer begins with it"
    return Store("node", directory=directory, state=state)


def as_data(items: list[T]) -> list[dict[str, Any]]:
    """Make data for JSON, with the names of the fields."""
    return [msgspec.structs.asdict(item) for item in items]
