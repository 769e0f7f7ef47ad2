"""Finds the daemon of an injected pod, and queries it with commands in its container."""

import os

import click
import msgspec
from kubernetes.client import V1Pod
from msgspec import Struct

from webhook.cli.inside import cgroups
from webhook.cli.inside.access import NoAnswer, PodAccess
from webhook.cli.inside.content import (
    NestedContainer,
    NestedImage,
    T,
    Usage,
    list_consumers,
    parse,
    warm_store,
)
from webhook.cli.inside.output import ConsumerOutput, StoreOutput
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
_MOST_OBJECTS = 20_000
LONGEST_LOG = 4 * 1024 * 1024
_LONGEST_START_OF_LOG = 16 * 1024
_DEFAULT_DIRECTORY = "/var/run"  # of dockerd, if another webhook has dropped its arguments
# As in dind-wait.sh: not the one in a home directory, which may be a volume of the job.
_ENVIRONMENT = "DOCKER_CONFIG=/var/dind/docker-config"
_NOT_FOUND = (126, 127)  # exit codes of shells and `timeout`
_TIMED_OUT = (124, 137, 143)  # exit codes of `timeout`, which differ between its versions
_RUNNING = ("running", "paused")  # states of containers that have a cgroup


class NoDaemon(click.ClickException):
    """The pod has no Docker daemon of its own."""

    exit_code = os.EX_NOINPUT


class Daemon(Struct, frozen=True):
    """A pod of a cluster with the injected container in which its daemon runs."""

    access: PodAccess
    pod: V1Pod
    injection: ExistingInjection

    @property
    def place(self) -> tuple[str, str]:
        """The pod's namespace and name."""
        return self.pod.metadata.namespace, self.pod.metadata.name

    def read_again(self) -> "Daemon":
        """Read the pod again.

        Raises:
            NoSuchPod: it was deleted; another pod may have its name.
        """
        daemon = find_daemon(self.access, *self.place)
        if daemon.pod.metadata.uid != self.pod.metadata.uid:
            raise NoSuchPod(f"{describe(self.pod)} was deleted")
        return daemon

    def containers(self) -> list[NestedContainer]:
        """List the nested containers, also those that have ended."""
        return self._docker(NestedContainer, "container", "ls", "--all")

    def images(self) -> list[NestedImage]:
        """List the images."""
        return self._docker(NestedImage, "image", "ls")

    def usage(self) -> list[Usage]:
        """List what uses the disk."""
        return self._docker(Usage, "system", "df")

    def consumers(self) -> list[ConsumerOutput]:
        """List what uses CPU and memory: the sidecar first, then the others by their CPU."""
        running = [c for c in self.containers() if c.state in _RUNNING]
        output = self._run("sh", "-c", cgroups.SCRIPT)
        try:
            found = cgroups.parse(output)
        except ValueError as error:
            message = f"{self._where('sh')} printed no use of CPU and memory: {error}"
            raise Unavailable(message) from error
        return list_consumers(self.injection.container.name, running, found)

    def limits(self) -> dict[str, str]:
        """Return the CPU and memory limits of the sidecar, which apply to all that runs in it."""
        spec = self.pod.spec
        for container in [*(spec.init_containers or ()), *spec.containers]:
            if container.name == self.injection.container.name and container.resources:
                limits = container.resources.limits or {}
                return {key: limits[key] for key in ("cpu", "memory") if key in limits}
        return {}

    def log(self, tail: int, *, previous: bool) -> bytes:
        """Read the last lines of the daemon's log, cut after LONGEST_LOG bytes."""
        name = self.injection.container.name
        found = [status for status in container_statuses(self.pod) if status.name == name]
        restarts = found[0].restart_count if found else 0
        if previous and not restarts:
            raise Unavailable(f"{describe(self.pod)}: container {name} was not restarted")
        if not found or (not restarts and found[0].state and found[0].state.waiting):
            raise self._not_running()
        return self.access.log(self.place, name, tail=tail, longest=LONGEST_LOG, previous=previous)

    def store(self) -> StoreOutput:
        """Find the image store in the pod's spec, and the state of a warm one in the log."""
        name = self.injection.volume_at(sidecar.STORAGE_DIRECTORY)
        shared = self.injection.volume_at(node_store.DIRECTORY)
        volumes = {volume.name: volume for volume in self.pod.spec.volumes or ()}
        volume = volumes.get(shared or name)
        if volume is None:
            return StoreOutput("unknown")
        if volume.empty_dir is not None:
            return StoreOutput("emptyDir", limit=volume.empty_dir.size_limit or "")
        if volume.ephemeral is not None:
            spec = volume.ephemeral.volume_claim_template.spec
            requests = (spec.resources and spec.resources.requests) or {}
            claim = f"{self.pod.metadata.name}-{volume.name}"
            return StoreOutput("pvc", limit=requests.get("storage", ""), name=claim)
        if volume.persistent_volume_claim is not None:
            return StoreOutput("pvc", name=volume.persistent_volume_claim.claim_name)
        if shared is None or volume.host_path is None:
            return StoreOutput("unknown")
        return self._warm_store(volume.host_path.path)

    def _warm_store(self, directory: str) -> StoreOutput:
        try:
            text = self.access.log(
                self.place, self.injection.container.name, longest=_LONGEST_START_OF_LOG
            )
        except click.ClickException as error:
            return StoreOutput("node", directory=directory, state=f"unknown: {error.message}")
        return warm_store(directory, text.decode(errors="replace"))

    def _docker(self, kind: type[T], *words: str) -> list[T]:
        """Run a command of the Docker CLI that prints one JSON object per line."""
        address = socket_address(self.injection.directory or _DEFAULT_DIRECTORY)
        output = self._run("docker", f"--host={address}", *words, "--format", "json")
        where = self._where("docker")
        try:
            objects = parse(output, kind)
        except (msgspec.MsgspecError, RecursionError) as error:
            message = printable(str(error))
            raise Unavailable(f"{where} printed something else than JSON: {message}") from error
        if len(objects) > _MOST_OBJECTS:
            accepted = f"accepted: up to {_MOST_OBJECTS:,}"
            raise Unavailable(f"{where} printed {len(objects):,} lines ({accepted})")
        return objects

    def _run(self, program: str, *words: str) -> bytes:
        """Run a command in the daemon's container; return its output."""
        name = self.injection.container.name
        statuses = [status for status in container_statuses(self.pod) if status.name == name]
        if not statuses or not statuses[0].state or not statuses[0].state.running:
            raise self._not_running()
        where = self._where(program)
        try:
            execution = self.access.execute(
                self.place,
                name,
                ["env", _ENVIRONMENT, "timeout", "-s", "KILL", str(_SECONDS), program, *words],
                seconds=_SECONDS + _SECONDS_OF_CONNECTION,
                longest=_LONGEST_OUTPUT,
            )
        except NoAnswer as error:
            raise Unavailable(f"{where} does not answer: {error.message}") from error
        if execution.exit_code in _TIMED_OUT:
            raise Unavailable(f"{where} does not answer: nothing within {_SECONDS} s")
        errors = printable(" ".join(execution.errors[:1000].decode(errors="replace").split()))
        if execution.exit_code in _NOT_FOUND:
            raise Unavailable(f"{where} cannot run, the image lacks a program: {errors}")
        if execution.exit_code:
            raise Unavailable(f"{where} ended with exit code {execution.exit_code}: {errors}")
        return execution.output

    def _where(self, program: str) -> str:
        return f"{describe(self.pod)}: {program} in container {self.injection.container.name}"

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
