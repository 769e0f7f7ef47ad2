"""The sidecar and its volumes, as they stand in the pod.

dockerd's flags are the container's args, so that `kubectl describe` shows them.
"""

from collections.abc import Sequence
from typing import Any

from webhook.config import Isolation, Placement, Profile, Storage, quantity
from webhook.config.paths import is_within, real
from webhook.injection import node_store
from webhook.injection.scripts import (
    CHECK_NODE_AND_START,
    RELEASE,
    RELEASE_NAME,
    START,
    START_NAME,
    START_WITH_STORE,
    WAIT,
    WAIT_AND_MEASURE,
    WAIT_NAME,
)
from webhook.injection.socket_address import socket_address

NAME = "dind"
SOCKET_VOLUME = "cache-dir"
STORAGE_VOLUME = "dind-storage"
EMPTY_VOLUME = "dind-no-token"
NODE_DIRECTORY_VOLUME = "dind-node-directory"
STORAGE_DIRECTORY = "/var/lib/docker"
ACCOUNT_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount"
# Outside the shared volume: the files of a killed daemon would keep the next one from starting.
_PID_FILE = "/var/dind/docker.pid"
_EXEC_ROOT = "/var/dind/exec"

# Beside the runtime's defaults: mounts; networks and firewall; containers of other users.
_USER_NAMESPACE_CAPABILITIES = ("SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE")

# Where the hook writes why it failed, which the kubelet's event does not contain: a link to the
# container's log, made by dind-start.sh.
_CONTAINER_LOG = "/var/dind/log"


def container(
    profile: Profile,
    directory: str,
    socket_volume: str,
    storage_volume: str,
    token_volume: str,
    *,
    environment: Sequence[dict[str, Any]],
    store_path: str | None,
    more_mounts: Sequence[dict[str, Any]],
    storage_is_limited: bool,
    has_local_apparmor_profile: bool,
) -> dict[str, Any]:
    """The sidecar.

    Args:
        profile: image, resources and daemon options.
        directory: the socket's directory.
        socket_volume: name of the shared volume.
        storage_volume: name of the image store's volume.
        token_volume: name of the empty volume in place of the service account token.
        environment: files that the start script writes, proxies, and other variables.
        store_path: directory of the node with image stores, None if the pod has a store of its own.
        more_mounts: mirrored mounts, and further mounts of the socket.
        storage_is_limited: a container of the job has an ephemeral-storage limit.
        has_local_apparmor_profile: the pod has one, written for its own containers.
    """
    native = profile.placement is Placement.INIT_CONTAINER
    has_exporter = profile.daemon.metrics is not None
    release = {"exec": {"command": ["sh", "-c", RELEASE, RELEASE_NAME]}}
    if store_path:
        environment = [*environment, *node_store.environment(store_path)]
    return {
        "name": NAME,
        "image": profile.image,
        **({"restartPolicy": "Always"} if native else {}),
        "command": ["sh", "-c", _start_script(profile.isolation, store_path), START_NAME],
        "args": [
            f"--host={socket_address(directory)}",
            f"--group={profile.socket.gid}",
            f"--pidfile={_PID_FILE}",
            f"--exec-root={_EXEC_ROOT}",
            *daemon_arguments(profile),
        ],
        **({"env": environment} if environment else {}),
        "securityContext": security_context(
            profile.isolation,
            profile.seccomp_profile,
            has_local_apparmor_profile=has_local_apparmor_profile,
        ),
        "lifecycle": {
            # A startup probe would cost a second: the kubelet probes once a second (measured).
            "postStart": {
                "exec": {
                    "command": [
                        *("sh", "-c", WAIT_AND_MEASURE if has_exporter else WAIT, WAIT_NAME),
                        str(profile.start_timeout),
                        socket_address(directory),
                        _CONTAINER_LOG,
                    ]
                }
            },
            **({"preStop": release} if store_path else {}),
        },
        "resources": {
            "requests": profile.resources.requests.amounts(),
            "limits": _limits(profile, storage_is_limited=storage_is_limited),
        },
        # Mounts above the socket's would hide it if they came later; see socket_plan.
        "volumeMounts": [
            *[mount for mount in more_mounts if _is_above(mount, directory)],
            {"name": socket_volume, "mountPath": directory},
            {
                "name": storage_volume,
                "mountPath": node_store.DIRECTORY if store_path else STORAGE_DIRECTORY,
            },
            no_token_mount(token_volume),
            *[mount for mount in more_mounts if not _is_above(mount, directory)],
        ],
    }


def _start_script(isolation: Isolation, store_path: str | None) -> str:
    if isolation is Isolation.USER_NAMESPACE:  # the configuration accepts no persistent store there
        return CHECK_NODE_AND_START
    return START_WITH_STORE if store_path else START


def security_context(
    isolation: Isolation, seccomp_profile: str | None, *, has_local_apparmor_profile: bool
) -> dict[str, Any]:
    """The sidecar's security context.

    Args:
        isolation: what keeps it from the node.
        seccomp_profile: the file of a seccomp profile on the node, in a user namespace.
        has_local_apparmor_profile: the pod has one, written for its own containers.
    """
    # The users override the pod's own security context.
    root = {"runAsUser": 0, "runAsGroup": 0, "runAsNonRoot": False}
    unconfined = {"type": "Unconfined"}
    if isolation is Isolation.USER_NAMESPACE:
        return {
            "privileged": False,
            **root,
            "allowPrivilegeEscalation": True,  # setuid programs in nested containers
            "procMount": "Unmasked",
            "seccompProfile": (
                {"type": "Localhost", "localhostProfile": seccomp_profile}
                if seccomp_profile
                else unconfined
            ),
            "appArmorProfile": unconfined,
            "capabilities": {"add": list(_USER_NAMESPACE_CAPABILITIES)},
        }
    is_privileged = isolation is Isolation.PRIVILEGED
    apparmor = {"appArmorProfile": unconfined}
    return {
        "privileged": is_privileged,
        **root,
        **(apparmor if is_privileged and has_local_apparmor_profile else {}),
    }


def _is_above(mount: dict[str, Any], directory: str) -> bool:
    return is_within(real(directory), real(mount["mountPath"]))


def _limits(profile: Profile, *, storage_is_limited: bool) -> dict[str, str]:
    """The sidecar's limits, with room for the image store if the pod's storage is limited.

    The kubelet evicts a pod when its containers and emptyDirs together use more than the sum of
    those ephemeral-storage limits that are set (eviction_manager.go). A limit of the sidecar alone
    would bound the job, and the job's limit alone would leave no room for the image store. One in
    memory, on a PVC or in a directory of the node needs none: the kubelet does not count it.
    """
    limits, is_counted = profile.resources.limits.amounts(), profile.storage.is_on_disk_of_node()
    if storage_is_limited and is_counted and "ephemeral-storage" not in limits:
        own = profile.resources.requests.amounts().get("ephemeral-storage", "0")
        limits["ephemeral-storage"] = quantity.total(str(profile.storage.size_limit), own)
    return limits


def daemon_arguments(profile: Profile) -> list[str]:
    """The flags for a profile's daemon settings, its extra arguments last."""
    daemon = profile.daemon
    # `docker login` does not read hosts.toml. Source: moby, daemon/pkg/registry.
    insecure = [host for host, registry in profile.registries.items() if registry.insecure]
    arguments = [f"--insecure-registry={host}" for host in insecure]
    arguments += [
        f"--default-address-pool=base={pool.base},size={pool.size}"
        for pool in daemon.default_address_pools
    ]
    if daemon.mtu != "auto":
        arguments += [
            f"--mtu={daemon.mtu}",
            f"--default-network-opt=bridge=com.docker.network.driver.mtu={daemon.mtu}",
        ]
    return [*arguments, *daemon.extra_args]


def socket_volume(name: str) -> dict[str, Any]:
    """The volume through which the daemon shares its socket."""
    return {"name": name, "emptyDir": {}}


def no_token_mount(volume: str) -> dict[str, Any]:
    """Keep the service account token out of an injected container.

    The API server mounts the token into every container that has no mount of its own at this path,
    after webhooks too. Source: plugin/pkg/admission/serviceaccount.
    """
    return {"name": volume, "mountPath": ACCOUNT_DIRECTORY, "readOnly": True}


def no_token_volume(name: str) -> dict[str, Any]:
    """The volume in place of the token, which stays empty."""
    return {"name": name, "emptyDir": {"sizeLimit": "1Mi"}}


def node_directory_volume(name: str, directory: str) -> dict[str, Any]:
    """The volume of one of a profile's nodeDirectories."""
    return {"name": name, "hostPath": {"path": directory, "type": "Directory"}}


def node_directory_mount(name: str, directory: str) -> dict[str, Any]:
    """Show a directory of the node at the same path in the daemon."""
    return {"name": name, "mountPath": directory, "readOnly": True}


def storage_volume(name: str, storage: Storage) -> dict[str, Any]:
    """The volume of images and layers; dockerd fails every build without one."""
    size, template = str(storage.size_limit), storage.volume_claim_template
    if template is None:
        medium = {"medium": storage.medium} if storage.medium else {}
        return {"name": name, "emptyDir": {"sizeLimit": size, **medium}}
    storage_class = template.spec.storage_class_name
    spec = {
        "accessModes": ["ReadWriteOnce"],
        **({"storageClassName": storage_class} if storage_class else {}),
        "resources": {"requests": {"storage": size}},
    }
    return {"name": name, "ephemeral": {"volumeClaimTemplate": {"spec": spec}}}
