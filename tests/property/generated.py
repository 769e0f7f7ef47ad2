"""Strategies: pods over the whole shape that the core reads, and configuration files for them.

Pods are valid as the API server sees it (names and paths are unique, mounts have volumes), and
everything else about them is as nasty as the lists below.
"""

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from webhook.injection import Endpoint

Json = dict[str, Any]

ABSENT = object()  # a field that is left out, as opposed to one that is null
EVERY_ANNOTATION = ["containers", "cpu", "image", "memory", "mode", "profile", "storage"]

NAMES = ["main", "build", "test", "clone", "proxy", "a\nb", "x" * 300]
OUR_NAMES = ["dind", "dind-wait"]
TOKEN_VOLUME = "kube-api-access-x7k2p"
TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUMES = [
    *("cache-dir", "dind-cache-dir", "dind-storage", "dind-node", "work", "sock", "directory"),
    *("dind-registry-credentials", "dind-client-config"),
    TOKEN_VOLUME,
]
SOURCES: list[Json] = [
    {"emptyDir": {}},
    {"emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
    {"persistentVolumeClaim": {"claimName": "claim"}},
    {"ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
    {"secret": {"secretName": "secret"}},
    {"secret": {"secretName": "registry"}},
    {"projected": {"sources": []}},
    {"hostPath": {"path": "/var/run/docker.sock", "type": "Socket"}},
    {"hostPath": {"path": "/run/docker.sock"}},
    {"hostPath": {"path": "/var/run"}},
    {"hostPath": {"path": "/run/"}},
    {"hostPath": {"path": "/srv"}},
    {"unknownYet": {"field": [1, 2]}},
    {},
]
PATHS = [
    *("/var/run", "/var/run/", "/run", "//var//run", "/a/../var/run", "var/run"),
    *("/var/run/docker.sock", "/run/docker.sock", "/docker.sock", "/host/docker.sock"),
    *("/host", "/host/", "/host/run", "/run/dind", "/var/run/dind", "/run/dind-2"),
    *("/run/dind/docker.sock", "/var/run/dind/docker.sock", "/srv/docker", "/var/lib/docker"),
    *("/", "/var", "/etc/x", "/work", "/work/", "/work/sub", "work", "/w\n", "/tmp/" + "x" * 200),
    *("/etc/dind/docker", "/etc/dind", "/root/.docker"),
    TOKEN_PATH,
]
SUB_PATHS = [{}, {}, {}, {"subPath": "docker.sock"}, {"subPath": "x"}, {"subPathExpr": "$(X)"}]
VARIABLES: list[Json] = [
    {"name": "CI", "value": "true"},
    {"name": "EMPTY"},
    {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
]
DOCKER_HOSTS: list[Json] = [
    {"name": "DOCKER_HOST", "value": "tcp://localhost:2375"},
    {"name": "DOCKER_HOST", "value": "unix:///var/run/docker.sock"},
    {"name": "DOCKER_HOST", "value": "unix:///host/docker.sock"},
    {"name": "DOCKER_HOST", "value": ""},
    {"name": "DOCKER_HOST", "value": None},
    {"name": "DOCKER_HOST", "valueFrom": {"configMapKeyRef": {"name": "x", "key": "y"}}},
]
CLIENT_CONFIGS: list[Json] = [
    {"name": "DOCKER_CONFIG", "value": "/work"},
    {"name": "DOCKER_CONFIG", "value": "/etc/dind/docker"},
    {"name": "DOCKER_CONFIG", "value": ""},
    {"name": "DOCKER_CONFIG", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}},
    {"name": "HOME", "value": "/home/$(USER)$x"},
    {"name": "HOME", "value": "/home/ci $x"},
]
UNKNOWN: list[Json] = [{}, {"tty": True}, {"futureField": {"deep": [None, {"a/b~c": 1}]}}]
READABLE = {  # annotations that a lenient configuration file accepts
    "mode": ["sidecar", "node"],
    "cpu": ["1m", "2", "100m"],
    "memory": ["64Mi", "8Gi", "1e9"],
    "storage": ["64Mi", "40Gi"],
    "image": ["docker:28-dind", "registry.example:5000/dind@sha256:" + "0" * 64],
    "profile": ["default", "other"],
}
NONSENSE = ["", "yes", "\x00", "x" * 200, "1e99999999", "-1", "99E", "a,,b", "absent", "\U000e0001"]


def object_of(fields: dict[str, SearchStrategy[Any]]) -> SearchStrategy[Json]:
    """An object of which every field may be left out."""
    return st.fixed_dictionaries({}, optional=fields)


def lists(items: SearchStrategy[Any], key: str | None = None) -> SearchStrategy[Any]:
    """A list, null or empty as often as it is filled; `key` is unique in it."""
    unique = (lambda item: item[key]) if key else None
    filled = st.lists(items, min_size=1, max_size=4, unique_by=unique)
    return st.one_of(st.none(), st.just([]), filled, filled)


@st.composite
def containers(draw: DrawFn, name: str, volumes: list[str], *, init: bool = False) -> Json:
    """A container; its mounts are of these volumes."""
    fields: dict[str, SearchStrategy[Any]] = {
        "image": st.sampled_from(["alpine:3", "docker:29-cli", "registry.example/x"]),
        "command": st.sampled_from([None, [], ["make"], ["sh", "-c", "docker build ."]]),
        "args": st.sampled_from([None, [], ["all"]]),
        "securityContext": st.sampled_from([None, {}, {"runAsUser": 1000}]),
        "resources": st.sampled_from(
            [None, {}, {"limits": None}, {"limits": {"ephemeral-storage": "1Gi", "cpu": 1}}]
        ),
    }
    if init:
        fields["restartPolicy"] = st.sampled_from([None, "Always"])
    variables = lists(st.sampled_from([*VARIABLES, *DOCKER_HOSTS, *CLIENT_CONFIGS]), "name")
    fields["env"] = variables
    if volumes:
        fields["volumeMounts"] = lists(mounts(volumes), "mountPath")
    return {"name": name, **draw(object_of(fields)), **draw(st.sampled_from(UNKNOWN))}


@st.composite
def mounts(draw: DrawFn, volumes: list[str]) -> Json:
    name = draw(st.sampled_from(volumes))
    paths = [TOKEN_PATH, *PATHS[::8]] if name == TOKEN_VOLUME else PATHS
    mount = {
        "name": name,
        "mountPath": draw(st.sampled_from(paths)),
        **draw(st.sampled_from(SUB_PATHS)),
    }
    return {**mount, **draw(st.sampled_from([{}, {}, {"readOnly": True}, {"readOnly": None}]))}


@st.composite
def pods(draw: DrawFn, *, hostile: bool) -> Json:
    """A pod; a `hostile` one may be one that is refused or left alone."""
    volume_names = draw(st.lists(st.sampled_from(VOLUMES), unique=True, max_size=5))
    names = draw(
        st.lists(
            st.sampled_from([*NAMES, *OUR_NAMES] if hostile else NAMES),
            unique=True,
            min_size=1,
            max_size=4,
        )
    )
    first_init = draw(st.integers(1, len(names)))
    spec: Json = {
        "containers": [draw(containers(name, volume_names)) for name in names[:first_init]]
    }
    inits = [draw(containers(name, volume_names, init=True)) for name in names[first_init:]]
    volumes = [{"name": name, **draw(st.sampled_from(SOURCES))} for name in volume_names]
    for field, items in (("initContainers", inits), ("volumes", volumes)):
        nothing = draw(st.sampled_from([ABSENT, None, []]))
        if items or nothing is not ABSENT:
            spec[field] = items or nothing
    spec |= draw(object_of(_spec_fields(hostile=hostile)))
    metadata = {"name": "job", **draw(st.sampled_from(UNKNOWN))}
    chosen = names if hostile else names[:first_init]
    annotations = draw(_annotations(chosen, hostile=hostile))
    if annotations is not ABSENT:
        metadata["annotations"] = annotations
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _spec_fields(*, hostile: bool) -> dict[str, SearchStrategy[Any]]:
    groups = st.sampled_from([None, [], [1], [2375], [1, 2375]])
    fields: dict[str, SearchStrategy[Any]] = {
        "securityContext": st.one_of(
            st.none(), object_of({"supplementalGroups": groups, "fsGroup": st.just(1)})
        ),
        "imagePullSecrets": st.sampled_from([None, [], [{"name": "theirs"}], [{"name": "ours"}]]),
        "runtimeClassName": st.sampled_from([None, "", "sysbox-runc"]),
        "hostNetwork": st.sampled_from([None, False]),
        "os": st.sampled_from([None, {"name": "linux"}]),
        "nodeSelector": st.sampled_from([None, {}, {"kubernetes.io/os": "linux"}]),
        "restartPolicy": st.just("Never"),
        "futureField": st.just({"a": [1, None]}),
    }
    if hostile:
        fields["hostNetwork"] = st.sampled_from([None, False, True])
        fields["hostUsers"] = st.sampled_from([None, False, True])
        fields["os"] = st.sampled_from([None, {"name": "windows"}])
        fields["runtimeClassName"] = st.sampled_from(["kata", "sysbox-runc"])
    return fields


def _annotations(names: list[str], *, hostile: bool) -> SearchStrategy[Any]:
    chosen = st.sampled_from(names).map(lambda name: name.replace(",", " "))
    fields: dict[str, SearchStrategy[Any]] = {
        "example.com/a~b": st.just("x"),
        "sidecar.istio.io/inject": st.just("true"),
        "dind.io/status": st.just("mine"),
    }
    if hostile:
        fields |= {
            f"dind.io/{name}": st.sampled_from([*values, *NONSENSE])
            for name, values in READABLE.items()
        }
        fields["dind.io/containers"] = st.one_of(chosen, st.sampled_from(NONSENSE))
        fields["dind.io/inject"] = st.sampled_from(["true", "false", *NONSENSE])
        fields["kubernetes.io/config.mirror"] = st.just("hash")
        fields["dind.io/\n" + "k" * 100] = st.just("x")
        return st.one_of(st.none(), st.just(ABSENT), object_of(fields))
    fields["dind.io/inject"] = st.just("true")
    fields["dind.io/profile"] = st.sampled_from(READABLE["profile"])
    sizes = {f"dind.io/{name}": st.sampled_from(READABLE[name]) for name in ("cpu", "memory")}
    sizes["dind.io/image"] = st.sampled_from(READABLE["image"])
    return st.one_of(
        st.none(),
        st.just(ABSENT),
        object_of(fields),
        object_of(fields | sizes),
        object_of(fields | {"dind.io/mode": st.just("node")}),
        object_of(fields | {"dind.io/containers": chosen}),
    )


POD_ANNOTATIONS = {"sidecar.istio.io/inject": "false", "example.com/note": "of the profile"}
PROFILES: SearchStrategy[Json] = object_of(
    {
        "mode": st.just("sidecar"),
        "image": st.just("registry.example/docker:29-dind"),
        "imagePullSecrets": st.sampled_from([[], [{"name": "ours"}], [{"name": "ours"}] * 2]),
        "resources": st.sampled_from(
            [{}, {"limits": {"cpu": 4, "ephemeral-storage": "30Gi"}}, {"limits": {}}]
        ),
        "storage": st.sampled_from(
            [
                {},
                {"sizeLimit": 10**9},
                {"medium": "Memory"},
                {"volumeClaimTemplate": {"spec": {"storageClassName": "fast-ssd"}}},
                # No more than the smallest size that an annotation asks for.
                {"persistent": {"hostPath": "/srv/stores", "keep": "64Mi", "share": "trusted"}},
            ]
        ),
        "daemon": st.sampled_from(
            [
                {},
                {"mtu": 1400, "extraArgs": ["--debug"]},
                {"proxy": {"https": "http://proxy.example"}},
                {"metrics": {"port": 9400}},
            ]
        ),
        "socket": object_of(
            {
                "directory": st.sampled_from(
                    [None, "/var/run/dind", "/run/dind", "/srv/docker", "/host"]
                ),
                "gid": st.sampled_from([1, 2375]),
            }
        ),
        "startTimeout": st.sampled_from([1, 600]),
        "mirrorMounts": st.booleans(),
        "placement": st.sampled_from(["initContainer", "container"]),
        "podAnnotations": st.sampled_from([{}, POD_ANNOTATIONS]),
        "registryCredentials": st.sampled_from(
            [
                None,
                {"secretName": "registry"},
                {"secretName": "registry", "containers": ["build", "test"]},
            ]
        ),
    }
)
SYSBOX = {"isolation": "runtimeClass", "runtimeClassName": "sysbox-runc"}
USER_NAMESPACE = {"isolation": "userNamespace"}


@st.composite
def configs(draw: DrawFn, *, hostile: bool) -> Json:
    """A configuration file; without `hostile`, one that allows pods all that is readable."""
    profiles = {
        name: {
            **draw(PROFILES),
            **draw(st.sampled_from([{}, {}, SYSBOX, USER_NAMESPACE])),
            **draw(st.sampled_from([{}, {}, {"mode": "node"}] if hostile else [{}])),
        }
        for name in ("default", "other")
    }
    for profile in profiles.values():
        if profile.get("mode") == "node":
            profile.pop("registryCredentials", None)
            profile.pop("daemon", None)
        if profile.get("placement") == "container" and "metrics" in profile.get("daemon", {}):
            profile.pop("placement")
        if profile.get("isolation") and "persistent" in profile.get("storage", {}):
            profile.pop("storage")
    policy: Json = {"annotations": EVERY_ANNOTATION, "images": ["**"]}
    if hostile:
        policy = draw(
            object_of(
                {
                    "annotations": st.lists(st.sampled_from(EVERY_ANNOTATION), unique=True),
                    "images": st.sampled_from([[], ["docker:*"], ["**"]]),
                    "maximum": st.sampled_from([{}, {"cpu": 1, "memory": "1Gi"}]),
                    "profiles": st.sampled_from([{}, {"ci": ["other"]}, {"c*": ["default"]}]),
                }
            )
        )
    if "containers" not in policy.get("annotations", ["containers"]):
        for profile in profiles.values():
            if profile.get("registryCredentials") == {"secretName": "registry"}:
                del profile["registryCredentials"]  # no pod could get them
    return {"profiles": profiles, "policy": policy}


ENDPOINTS = st.sampled_from(Endpoint)
