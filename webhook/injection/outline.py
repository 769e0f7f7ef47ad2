"""Pods that are alike: what of an admission a decision can depend on, as a value to look it up by.

A CI system makes its pods from a few templates. Their names, uids, variables, commands and images
differ, and the volume of the service account's token gets a random name: none of that changes what
is injected. An `Outline` is all the rest, and `admission_of` makes an admission of it again. Who
remembers decisions has the core decide about that one, never about the pod itself, so that nothing
outside the outline can have had a say.

Pods with something out of the ordinary have no outline; the core looks at them itself.
"""

from collections.abc import Sequence
from typing import NamedTuple

from webhook.injection import node, sidecar
from webhook.injection.checks import Admission
from webhook.injection.optin import Endpoint
from webhook.injection.pod import (
    Container,
    ContainerResources,
    EnvVar,
    Named,
    ObjectMeta,
    Pod,
    PodSecurityContext,
    PodSpec,
    Present,
    Volume,
    VolumeMount,
)
from webhook.injection.shape import find_existing_injection, runs_dockerd
from webhook.injection.sockets import DOCKER_HOST

_MOST_CONTAINERS = 100  # of each kind; more are not ordinary
# What the API server's ServiceAccount plugin adds to every pod; no socket's folder may hide it.
_TOKEN_VOLUME = "kube-api-access-"  # noqa: S105 - begins a volume's name
_TOKEN_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105
_OS = "kubernetes.io/os"
_STORAGE = "ephemeral-storage"

_Mounts = tuple[tuple[str, str, str | None, str | None, bool | None], ...]
_Volumes = tuple[tuple[str, bool, bool], ...]  # name, is an emptyDir, is a claim


class _Container(NamedTuple):
    name: str
    restart_policy: str | None
    mounts: _Mounts | None
    runs_dockerd: bool
    has_variables: bool
    limits_storage: bool


class Outline(NamedTuple):
    """What a decision depends on. None says that a field is absent, as it does in the pod."""

    endpoint: Endpoint
    namespace: str
    annotations: tuple[tuple[str, str], ...] | None
    containers: tuple[_Container, ...]
    init_containers: tuple[_Container, ...] | None
    volumes: _Volumes | None
    supplemental_groups: tuple[int, ...] | None
    has_security_context: bool
    image_pull_secrets: tuple[str, ...] | None
    runtime_class_name: str | None
    host_network: bool | None
    host_users: bool | None
    os: str | None
    node_os: str | None


def outline(admission: Admission, *, namespaced: bool) -> Outline | None:
    """Draw an admission's outline, None where the pod is none of the ordinary ones.

    Args:
        admission: the pod, its namespace, and how it opted in.
        namespaced: the operator's file treats namespaces differently.
    """
    pod, spec = admission.pod, admission.pod.spec
    containers = _containers(spec.containers or ())
    init_containers = _containers(spec.init_containers) if spec.init_containers else ()
    volumes = _volumes(spec.volumes) if spec.volumes else ()
    if containers is None or init_containers is None or volumes is None:
        return None
    names = [drawn.name for drawn in (*containers, *init_containers)]
    if (sidecar.NAME in names or node.NAME in names) and find_existing_injection(pod) is not None:
        return None
    context, secrets = spec.security_context, spec.image_pull_secrets
    groups = None if context is None else context.supplemental_groups
    return Outline(
        admission.endpoint,
        admission.namespace if namespaced else "",
        None if pod.metadata.annotations is None else tuple(pod.annotations.items()),
        containers,
        None if spec.init_containers is None else init_containers,
        None if spec.volumes is None else volumes,
        None if groups is None else tuple(groups),
        context is not None,
        None if secrets is None else tuple([secret.name for secret in secrets]),
        spec.runtime_class_name,
        spec.host_network,
        spec.host_users,
        None if spec.os is None else spec.os.name,
        None if spec.node_selector is None else spec.node_selector.get(_OS),
    )


def _containers(containers: Sequence[Container]) -> tuple[_Container, ...] | None:
    """None where one of them says DOCKER_HOST, or where there are very many."""
    if len(containers) > _MOST_CONTAINERS:
        return None
    drawn = []
    for container in containers:
        if container.variable(DOCKER_HOST) is not None:
            return None
        mounts = [
            (mount.name, mount.mount_path, mount.sub_path, mount.sub_path_expr, mount.read_only)
            for mount in container.volume_mounts or ()
            if mount.mount_path != _TOKEN_DIRECTORY or not mount.name.startswith(_TOKEN_VOLUME)
        ]
        drawn.append(
            _Container(
                container.name,
                container.restart_policy,
                None if container.volume_mounts is None else tuple(mounts),
                runs_dockerd(container),
                container.has_variables(),
                container.limits(_STORAGE),
            )
        )
    return tuple(drawn)


def _volumes(volumes: Sequence[Volume]) -> _Volumes | None:
    """None where one is the host's, and its Docker socket may be behind it; or a false token."""
    drawn = []
    for volume in volumes:
        if volume.host_path is not None:
            return None
        is_empty = volume.empty_dir is not None
        is_claim = volume.persistent_volume_claim is not None or volume.ephemeral is not None
        if not volume.name.startswith(_TOKEN_VOLUME):
            drawn.append((volume.name, is_empty, is_claim))
        elif is_empty or is_claim:
            return None
    return tuple(drawn)


def admission_of(outline: Outline) -> Admission:
    """Make an admission of an outline: all others with this outline get its decision."""
    o = outline
    groups = None if o.supplemental_groups is None else [*o.supplemental_groups]
    spec = PodSpec(
        containers=[*map(_container_of, o.containers)],
        init_containers=(
            None if o.init_containers is None else [*map(_container_of, o.init_containers)]
        ),
        volumes=None if o.volumes is None else [*map(_volume_of, o.volumes)],
        security_context=PodSecurityContext(groups) if o.has_security_context else None,
        image_pull_secrets=(
            None if o.image_pull_secrets is None else [*map(Named, o.image_pull_secrets)]
        ),
        runtime_class_name=o.runtime_class_name,
        host_network=o.host_network,
        host_users=o.host_users,
        os=None if o.os is None else Named(o.os),
        node_selector=None if o.node_os is None else {_OS: o.node_os},
    )
    annotations = None if o.annotations is None else dict(o.annotations)
    return Admission(o.endpoint, o.namespace, Pod(ObjectMeta(annotations=annotations), spec))


def _container_of(drawn: _Container) -> Container:
    mounts = drawn.mounts
    return Container(
        name=drawn.name,
        restart_policy=drawn.restart_policy,
        command=["dockerd"] if drawn.runs_dockerd else None,
        env=[EnvVar()] if drawn.has_variables else None,
        volume_mounts=None if mounts is None else [VolumeMount(*mount) for mount in mounts],
        resources=ContainerResources({_STORAGE: "1"}) if drawn.limits_storage else None,
    )


def _volume_of(drawn: tuple[str, bool, bool]) -> Volume:
    name, is_empty, is_claim = drawn
    return Volume(
        name=name,
        empty_dir=Present() if is_empty else None,
        persistent_volume_claim=Present() if is_claim else None,
    )
