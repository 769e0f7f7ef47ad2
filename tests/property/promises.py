"""What an injection promised to change, taken away again: the rest must be as it was."""

import json
from collections.abc import Sequence
from typing import Any

from webhook.config import Isolation, Mode, Placement
from webhook.injection.settings import Settings

Json = dict[str, Any]

DIRECTORY = "/etc/dind/docker"
#: Where the sidecar has volumes of its own, beside its first three.
OUR_PATHS = ("/var/dind/clients", "/var/dind/registry-credentials")
HOST_PATHS = ("/var/run", "/run", "/var/run/docker.sock", "/run/docker.sock")


def differences(before: Json, after: Json, settings: Settings) -> list[str]:
    """Name what differs and was not promised.

    Args:
        before: a pod without an earlier injection.
        after: the same pod, injected.
        settings: what the decision was made with.
    """
    old, new = json.loads(json.dumps(before)), json.loads(json.dumps(after))
    mounts = _injected(new["spec"], settings)["volumeMounts"]
    own = [each["name"] for each in mounts[:3]]
    own += [each["name"] for each in mounts if each["mountPath"] in OUR_PATHS]
    host = _socket_volumes(old["spec"])
    found = [
        *_annotations(old["metadata"], new["metadata"], settings),
        *_containers(old["spec"], new["spec"], settings, host),
        *_volumes(old["spec"], new["spec"], own, host),
        *_rest_of_spec(old["spec"], new["spec"], settings),
    ]
    if old != new:
        found.append(f"{old} became {new}")
    return found


def _injected(spec: Json, settings: Settings) -> Json:
    if _is_last(settings):
        last: Json = spec["containers"][-1]
        return last
    first: Json = spec["initContainers"][0]
    return first


def _is_last(settings: Settings) -> bool:
    profile = settings.profile
    return profile.mode is Mode.SIDECAR and profile.placement is Placement.CONTAINER


def _annotations(old: Json, new: Json, settings: Settings) -> list[str]:
    before, after = old.pop("annotations", None) or {}, new.pop("annotations")
    before.pop("dind.io/status", None)
    after.pop("dind.io/status")
    return [] if {**settings.profile.pod_annotations, **before} == after else ["annotations"]


def _socket_volumes(spec: Json) -> set[str]:
    """Names of the volumes through which a container may see the host's socket."""
    by_sub_path = {
        mount["name"]
        for container in [*(spec.get("initContainers") or ()), *spec["containers"]]
        for mount in container.get("volumeMounts") or ()
        if (mount.get("subPath") or "").endswith("docker.sock")
    }
    return {
        volume["name"]
        for volume in spec.get("volumes") or ()
        if (path := (volume.get("hostPath") or {}).get("path"))
        and (volume["name"] in by_sub_path or path.rstrip("/") in HOST_PATHS)
    }


def _containers(old: Json, new: Json, settings: Settings, host: set[str]) -> list[str]:
    name = "dind" if settings.profile.mode is Mode.SIDECAR else "dind-wait"
    before_inits, after_inits = old.pop("initContainers", None), new.pop("initContainers", None)
    before, after = old.pop("containers"), new.pop("containers")
    if _is_last(settings):
        injected = after.pop()
        untouched = before_inits == after_inits
        pairs = list(zip(before, after, strict=True))
    else:
        injected, *after_inits = after_inits
        if settings.profile.mode is Mode.SIDECAR and settings.profile.daemon.metrics:
            exporter, *after_inits = after_inits
            untouched = exporter["name"] == "dind-metrics"
        else:
            untouched = True
        pairs = list(zip([*(before_inits or ()), *before], [*after_inits, *after], strict=True))
    shared = injected["volumeMounts"][0]["name"]
    clients = {
        mount["name"] for mount in injected["volumeMounts"] if mount["mountPath"] in OUR_PATHS
    }
    return [
        *([] if injected["name"] == name else ["the injected container's name"]),
        *([] if untouched else ["init containers that the daemon comes too late for"]),
        *(
            text
            for before, after in pairs
            for text in _container(before, after, shared, host, clients)
        ),
    ]


def _container(old: Json, new: Json, shared: str, host: set[str], clients: set[str]) -> list[str]:
    name = old["name"]
    variables = ("DOCKER_HOST", *(["DOCKER_CONFIG"] if clients else ()))
    removed, added = _changes(old.pop("volumeMounts", None), new.pop("volumeMounts", None))
    before_env, after_env = old.pop("env", None), new.pop("env", None)
    lost, gained = _changes(before_env, after_env)
    return [
        *(f"{name} lost {mount}" for mount in removed if mount["name"] not in host),
        *(
            f"{name} gained {mount}"
            for mount in added
            if mount["name"] != shared
            and not (mount["name"] in clients and mount["mountPath"] == DIRECTORY)
        ),
        *(
            f"{name} lost {variable}"
            for variable in lost
            if variable["name"] not in variables or not _is_empty(variable)
        ),
        *(f"{name} gained {each}" for each in gained if each["name"] not in variables),
        *([f"{name} was {old} and is {new}"] if old != new else []),
    ]


def _is_empty(variable: Json) -> bool:
    return not any(map(variable.get, ("value", "valueFrom")))


def _volumes(old: Json, new: Json, own: list[str], host: set[str]) -> list[str]:
    removed, added = _changes(old.pop("volumes", None), new.pop("volumes", None))
    return [
        *(f"volume {volume} is lost" for volume in removed if volume["name"] not in host),
        *(f"volume {each} is not ours" for each in added if each["name"] not in own),
    ]


def _rest_of_spec(old: Json, new: Json, settings: Settings) -> list[str]:
    profile = settings.profile
    before, after = old.pop("securityContext", None) or {}, new.pop("securityContext")
    lost, groups = _changes(before.pop("supplementalGroups", None), after.pop("supplementalGroups"))
    gone, secrets = _changes(old.pop("imagePullSecrets", None), new.pop("imagePullSecrets", None))
    wanted = [secret.name for secret in profile.image_pull_secrets]
    own_users, users = old.pop("hostUsers", None), new.pop("hostUsers", None)
    is_ours = profile.mode is Mode.SIDECAR and profile.isolation is Isolation.USER_NAMESPACE
    had, has = old.pop("runtimeClassName", None), new.pop("runtimeClassName", None)
    ours = profile.runtime_class_name if profile.mode is Mode.SIDECAR else None
    return [
        *([] if before == after and not lost else ["securityContext"]),
        *([] if groups in ([], [profile.socket.gid]) else [f"groups {groups}"]),
        *([] if not gone and all(s["name"] in wanted for s in secrets) else ["pull secrets"]),
        *([] if users is (False if is_ours else own_users) else ["hostUsers"]),
        *([] if (has or None) == (had or ours) else ["runtimeClassName"]),
    ]


def _changes(
    before: Sequence[Any] | None, after: Sequence[Any] | None
) -> tuple[list[Any], list[Any]]:
    """What a list lost, and what was added to the rest of it."""
    old, new = list(before or ()), list(after or ())
    kept = [item for item in old if item in new]
    assert [item for item in new if item in old] == kept, f"{old} was reordered to {new}"
    return [item for item in old if item not in new], [item for item in new if item not in old]
