"""A profile: one way to give a pod its daemon.

Rules that span several keys stand on the last of these keys, so that an error elsewhere hides none
of them.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from pydantic import Field, ValidationInfo, field_validator

from webhook.config.base import Located, Model, by_name, reject
from webhook.config.certificates import CERTIFICATES_READ, Certificates
from webhook.config.daemon import Daemon, not_in_mode_node
from webhook.config.fields import (
    AnnotationKey,
    CSIDriver,
    GroupId,
    Image,
    Name,
    NodeDirectory,
    SeccompProfile,
    Seconds,
    SecretName,
    SocketDirectory,
)
from webhook.config.job import JobCertificates, RegistryCredentials
from webhook.config.paths import is_clear_of, real
from webhook.config.registries import Registry, RegistryHost, check_names
from webhook.config.resources import Resources, WaitResources
from webhook.config.storage import Storage
from webhook.config.wording import shown

# A pod carries all files of its profile. etcd takes objects of 1.5 MiB, and the kernel 2 MiB of
# arguments and variables (execve(2)).
_MOST_REGISTRIES = 100
_MOST_ANNOTATIONS = 100
# Bytes. Kubernetes takes 256 KiB of annotations in a pod, its own included (ValidateAnnotations).
_LARGEST_ANNOTATIONS = 64 * 1024
_NO_SIDECAR = "not accepted in mode node, which has no sidecar to write the files"
Value = TypeVar("Value")


class Mode(StrEnum):
    """Where a pod's daemon runs: beside it, or once per node."""

    SIDECAR = "sidecar"
    NODE = "node"


class Placement(StrEnum):
    """Where the sidecar stands: a native sidecar, or one of the ordinary containers."""

    INIT_CONTAINER = "initContainer"
    CONTAINER = "container"


class Isolation(StrEnum):
    """What keeps the sidecar, whose containers need powers of root, from the node."""

    PRIVILEGED = "privileged"
    USER_NAMESPACE = "userNamespace"
    RUNTIME_CLASS = "runtimeClass"


class Socket(Model):
    """Where the socket is, and who may use it.

    `directory` None means /var/run in mode sidecar and /var/run/dind in mode node.
    """

    directory: SocketDirectory | None = Field(
        default=None,
        description="The socket's directory. Default: /var/run in mode sidecar, and "
        "/var/run/dind in mode node.",
    )
    gid: GroupId = Field(
        default=2375,
        description="Group that may use the socket; the pod gets it as a supplemental group.",
    )


class SecretReference(Model):
    """A Secret in the pod's own namespace, by name."""

    name: SecretName = Field(description="The Secret's name.")


class Profile(Model):
    """One way to give a pod its daemon. The defaults are the built-in profile."""

    mode: Mode = Field(
        default=Mode.SIDECAR,
        description="`sidecar` runs a daemon in the pod, `node` uses the one of the node.",
    )
    image: Image = Field(
        default="docker:29-dind", description="The daemon's image. Pin it by digest."
    )
    image_pull_secrets: tuple[SecretReference, ...] = Field(
        default=(), description="Secrets, in the pod's own namespace, that pull the image."
    )
    resources: Resources = Field(default=Resources(), description="The sidecar's resources.")
    storage: Storage = Field(
        default=Storage(), description="The image store, a volume at /var/lib/docker."
    )
    daemon: Daemon = Field(default=Daemon(), description="dockerd's settings.")
    registries: dict[RegistryHost, Registry] = Field(
        default={},
        max_length=_MOST_REGISTRIES,
        json_schema_extra=by_name,
        description="Mirrors, CAs and credentials by registry: a host, with its port where image "
        "names have one, or `*` for all registries without an entry.",
    )
    ca_certificates: Certificates | None = Field(
        default=None,
        description="CA certificates that the daemon trusts for every server, beside those of the "
        "image, such as that of a proxy that intercepts TLS.",
    )
    job_certificates: JobCertificates = Field(
        default=JobCertificates(),
        description="How the pod's containers get `caCertificates`.",
    )
    socket: Socket = Field(default=Socket(), description="Where the socket is, and who may use it.")
    start_timeout: Seconds = Field(
        default=60, description="Seconds until a daemon that does not answer has failed."
    )
    wait_resources: WaitResources = Field(
        default=WaitResources(),
        description="Resources of the init container `dind-wait` in mode node.",
    )
    mirror_mounts: bool = Field(
        default=True,
        description="Mount the containers' own emptyDirs, PVCs and network file systems in the "
        'daemon, at the same paths, so that `docker run -v "$PWD":/w` works as on a host.',
    )
    mirror_csi_drivers: tuple[CSIDriver, ...] = Field(
        default=(),
        alias="mirrorCSIDrivers",
        description="CSI drivers whose inline volumes are mirrored, too. Never list a driver whose "
        "volumes hold Secrets.",
    )
    runtime_class_name: Name | None = Field(
        default=None,
        description="The pod's runtime class, such as sysbox or kata.",
    )
    isolation: Isolation = Field(
        default=Isolation.PRIVILEGED,
        description="`privileged` runs the sidecar privileged. `userNamespace` runs the whole pod "
        "in a user namespace, the sidecar unprivileged and root only there; nodes must be prepared "
        "for it. `runtimeClass` runs an unprivileged sidecar in a runtime that isolates it, which "
        "runtimeClassName names.",
    )
    seccomp_profile: SeccompProfile | None = Field(
        default=None,
        description="With `userNamespace`: the seccomp profile of the sidecar, a file below the "
        "kubelet's directory seccomp on each node. Default: none, Unconfined.",
    )
    node_directories: tuple[NodeDirectory, ...] = Field(
        default=(),
        description="Directories of the node that the sidecar mounts read-only at the same paths, "
        "such as /lib/modules for kind.",
    )
    placement: Placement = Field(
        default=Placement.INIT_CONTAINER,
        description="`initContainer` makes a native sidecar, which is ready before the pod's "
        "containers start; `container` is for runtimes without native sidecars.",
    )
    registry_credentials: RegistryCredentials | None = Field(
        default=None,
        description="Credentials with which `docker` in the job's containers pulls from and pushes "
        "to registries.",
    )
    pod_annotations: dict[AnnotationKey, str] = Field(
        default={},
        max_length=_MOST_ANNOTATIONS,
        json_schema_extra=by_name,
        description="Annotations that an injected pod gets, for other programs such as service "
        "meshes and autoscalers: at most 64 KiB. An annotation that the pod has keeps its value.",
    )

    @field_validator("pod_annotations")
    @classmethod
    def _fit_into_pods(cls, annotations: dict[str, str]) -> dict[str, str]:
        size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
        if size > _LARGEST_ANNOTATIONS:
            raise ValueError(
                f"keys and values have {size} bytes (accepted: at most {_LARGEST_ANNOTATIONS})"
            )
        return annotations

    @field_validator("seccomp_profile")
    @classmethod
    def _in_a_user_namespace(cls, path: str | None, info: ValidationInfo) -> str | None:
        """Reject a profile that a privileged sidecar would ignore."""
        other = info.data.get("isolation", Isolation.USER_NAMESPACE)
        if path is not None and other is not Isolation.USER_NAMESPACE:
            raise ValueError("accepted only with isolation userNamespace")
        return path

    @field_validator("node_directories")
    @classmethod
    def _not_over_the_socket(
        cls, directories: tuple[str, ...], info: ValidationInfo
    ) -> tuple[str, ...]:
        """Reject directories that the socket's would hide, or that would hide the socket's."""
        if directories and info.data.get("isolation") is Isolation.USER_NAMESPACE:
            raise ValueError("not accepted with isolation userNamespace, which keeps the node out")
        own = getattr(info.data.get("socket"), "directory", None)
        if own is None:
            return directories
        problems = [
            ((index,), f"{shown(path)} is at, below or above the socket's directory {shown(own)}")
            for index, path in enumerate(directories)
            if not is_clear_of(real(path), (real(own),))
        ]
        reject(problems)
        return directories

    @field_validator("placement")
    @classmethod
    def _keeps_the_exporter_running(cls, placement: Placement, info: ValidationInfo) -> Placement:
        """Reject an exporter that would keep its pod from ending."""
        daemon = info.data.get("daemon", Daemon())
        if placement is Placement.CONTAINER and daemon.metrics is not None:
            text = "container is not accepted with daemon.metrics, whose exporter is a native "
            raise ValueError(f"{text}sidecar (accepted: initContainer)")
        return placement

    @field_validator("registries")
    @classmethod
    def _have_names_that_fit(cls, registries: dict[str, Registry]) -> dict[str, Registry]:
        return check_names(registries)

    @field_validator("registries", "ca_certificates")
    @classmethod
    def _not_of_the_node(cls, value: Value, info: ValidationInfo) -> Value:
        """Reject what would do nothing: the chart configures the node's daemon."""
        if value and info.data.get("mode") is Mode.NODE:
            raise ValueError(not_in_mode_node("node.files"))
        return value

    @field_validator("registry_credentials")
    @classmethod
    def _written_by_a_sidecar(
        cls, credentials: RegistryCredentials | None, info: ValidationInfo
    ) -> RegistryCredentials | None:
        """Reject what would do nothing: the sidecar writes the files with the credentials."""
        if credentials is not None and info.data.get("mode") is Mode.NODE:
            raise ValueError(_NO_SIDECAR)
        return credentials

    @field_validator("daemon")
    @classmethod
    def _not_for_the_node(cls, daemon: Daemon, info: ValidationInfo) -> Daemon:
        if info.data.get("mode") is Mode.NODE:
            reject(daemon.of_the_node())
        return daemon

    @field_validator("ca_certificates")
    @classmethod
    def _are_read(cls, certificates: str | None, info: ValidationInfo) -> str | None:
        """Reject what hides them from dockerd. Source: Go, crypto/x509/root_unix.go."""
        directories = info.data.get("daemon", Daemon()).env.get("SSL_CERT_DIR", CERTIFICATES_READ)
        if certificates is not None and CERTIFICATES_READ not in directories.split(":"):
            raise ValueError(
                "dockerd does not read them with this daemon.env.SSL_CERT_DIR (accepted: a list of "
                f"directories with {CERTIFICATES_READ})"
            )
        return certificates

    @field_validator("job_certificates")
    @classmethod
    def _has_certificates(cls, job: JobCertificates, info: ValidationInfo) -> JobCertificates:
        """Reject a file without content, and variables without a file."""
        if job != JobCertificates() and info.data.get("mode") is Mode.NODE:
            raise ValueError(_NO_SIDECAR)
        if job.environment and not job.file:
            reject([(("environment",), "needs file: true, the file that they name")])
        if job.file and info.data.get("ca_certificates", "") is None:
            reject([(("file",), "needs caCertificates")])
        return job

    @field_validator("socket")
    @classmethod
    def _not_over_the_kubelets_mounts(cls, socket: Socket, info: ValidationInfo) -> Socket:
        """Reject a directory that cannot work in any pod of mode node."""
        if info.data.get("mode") is Mode.NODE and real(socket.directory or "") == "/var/run":
            problem = (
                f"{shown(socket.directory)} would hide the kubelet's own mounts in mode node "
                "(accepted: a directory of its own, such as /var/run/dind)"
            )
            reject([(("directory",), problem)])
        return socket

    @field_validator("daemon")
    @classmethod
    def _keeps_stores_of_containerd(cls, daemon: Daemon, info: ValidationInfo) -> Daemon:
        """Reject Docker's other kind of image store, which each job would set aside."""
        features = daemon.config.get("features")
        is_persistent = getattr(info.data.get("storage"), "persistent", None) is not None
        if (
            is_persistent
            and isinstance(features, Mapping)
            and features.get("containerd-snapshotter") is False
        ):
            text = "false is not accepted with storage.persistent, whose stores are those of "
            text += "containerd (accepted: true)"
            reject([(("config", "features", "containerd-snapshotter"), text)])
        return daemon

    @field_validator("isolation")
    @classmethod
    def _names_the_runtime(cls, isolation: Isolation, info: ValidationInfo) -> Isolation:
        """Reject an unprivileged daemon in an ordinary runtime, where it does not start.

        Only a privileged one can write the stores on the node, which belong to root there.
        In mode node too: `dind.io/mode: sidecar` may make a sidecar of it.
        """
        has_none = info.data.get("runtime_class_name", "") is None
        problems: list[Located] = []
        if isolation is Isolation.RUNTIME_CLASS and has_none:
            text = "runtimeClass needs a runtimeClassName (such as sysbox or kata)"
            problems.append(((), text))
        is_persistent = getattr(info.data.get("storage"), "persistent", None) is not None
        if isolation is not Isolation.PRIVILEGED and is_persistent:
            text = f"{isolation} is not accepted with storage.persistent (accepted: privileged)"
            problems.append(((), text))
        reject(problems)
        return isolation
