"""What a pod's author may try, whatever else the pod holds: only annotations shape the daemon.

What the annotations themselves may say is bounded by the administrator's policy
(tests/unit/injection/test_policy.py); this is about everything else of a pod.
"""

import json
from typing import Any

import property.conftest  # noqa: F401  (how much is generated)
import pytest
from property.generated import Json
from property.test_injection import INJECTABLE
from property.test_injection import injected as made
from unit.injection.pods import container, empty_dir, injected, mount, mounts, named, pod

from webhook.config import ConfigError, parse_config

SHAPE = ("image", "command", "args", "securityContext", "resources", "lifecycle", "env")
FROM_THE_HOST: Json = {"hostPath": {"path": "/"}}


def daemon(raw: Json) -> Json | None:
    """The injected container of a pod, in either mode."""
    spec = raw["spec"]
    ours = [
        each
        for each in (*(spec.get("initContainers") or ()), *spec["containers"])
        if each["name"] in ("dind", "dind-wait")
    ]
    return ours[0] if ours else None


def plain(raw: Json) -> Json:
    """A pod with one container that asks for the same daemon by its annotations."""
    asked = raw["metadata"].get("annotations") or {}
    kept = {key: asked[key] for key in asked if key != "dind.io/containers"}
    return {
        "metadata": {"name": "plain", "annotations": kept},
        "spec": {"containers": [{"name": "main", "image": "alpine:3"}]},
    }


@INJECTABLE
def test_nothing_but_annotations_shapes_the_daemon(raw: Json, config: Json) -> None:
    """Same wishes, same daemon: image, arguments, powers and limits come from nowhere else."""
    ours, theirs = daemon(made(raw, config)), daemon(made(plain(raw), config))
    assert ours is not None
    assert theirs is not None
    assert shape(ours) == shape(theirs)


def shape(daemon: Json) -> Json:
    """What a daemon is, but for three things that follow the pod's other containers.

    Its socket lies elsewhere where /var/run is taken, it has a limit of ephemeral storage where
    another container has one (docs/decisions/0003-ephemeral-storage-limit.md), and it writes the
    configuration of their Docker clients (docs/decisions/0014-client-configuration.md).
    """
    text = json.dumps({field: daemon.get(field) for field in SHAPE})
    fields: Json = json.loads(text.replace("/run/dind", "/var/run"))
    ((fields["resources"] or {}).get("limits") or {}).pop("ephemeral-storage", None)
    variables = fields["env"] or []
    fields["env"] = [v for v in variables if not v["name"].startswith("DIND_CLIENT_")]
    return fields


@INJECTABLE
def test_the_daemon_mounts_no_volume_of_another_kind(raw: Json, config: Json) -> None:
    """Neither the host's directories nor secrets and tokens, by whatever name they go.

    The exceptions are the Secret that the profile names, and the image stores of the namespace and
    the profile, each in a place of its own.
    """
    after = made(raw, config)
    profile = json.loads(after["metadata"]["annotations"]["dind.io/status"])["profile"]
    kinds = {each["name"]: each.keys() - {"name"} for each in after["spec"]["volumes"]}
    ours = daemon(after)
    assert ours is not None
    allowed: set[str] = {"emptyDir", "persistentVolumeClaim", "ephemeral"}
    if ours["name"] == "dind-wait":  # mode node: the directory of the node's socket, as configured
        allowed.add("hostPath")
    for mounted in ours["volumeMounts"]:
        if mounted["mountPath"] == "/var/dind/registry-credentials":
            (volume,) = (v for v in after["spec"]["volumes"] if v["name"] == mounted["name"])
            assert volume["secret"]["secretName"] == "registry"
            continue
        if mounted["mountPath"] == "/var/lib/dind-store":
            (volume,) = (v for v in after["spec"]["volumes"] if v["name"] == mounted["name"])
            assert volume["hostPath"]["path"] == f"/srv/stores/ci/{profile}"
            continue
        assert kinds[mounted["name"]] <= allowed, mounted


@INJECTABLE
def test_the_configuration_of_a_docker_client_contains_nothing_else_of_the_pod(
    raw: Json, config: Json
) -> None:
    """A home directory is a value in JSON: neither another key nor another file."""
    after = made(raw, config)
    ours = daemon(after)
    assert ours is not None
    for variable in ours.get("env") or ():
        if variable["name"].startswith("DIND_CLIENT_"):
            words, _, keys = variable["value"].rpartition("\n")
            assert all(word.startswith("/var/dind/") for word in words.split(" ")[1:])
            assert json.loads(keys).keys() == {"cliPluginsExtraDirs"}


@pytest.mark.parametrize("name", ["cache-dir", "dind-cache-dir", "dind-storage", "dind-storage-1"])
@pytest.mark.parametrize("path", ["/var/run", "/var/lib/docker", "/data"])
def test_a_host_volume_with_an_injected_name_is_not_used(name: str, path: str) -> None:
    raw = pod(
        container(volumeMounts=[mount(name, path)]), volumes=[{"name": name, **FROM_THE_HOST}]
    )
    after = injected(raw)
    assert name not in {volume.split("/")[0] for volume in mounts(after, "dind").values()}


@pytest.mark.parametrize(
    "field",
    [
        {"hostPID": True},
        {"hostIPC": True},
        {"shareProcessNamespace": True},
        {"securityContext": {"runAsUser": 0, "sysctls": [{"name": "kernel.x", "value": "1"}]}},
        {"serviceAccountName": "admin"},
        {"nodeName": "control-plane"},
        {"tolerations": [{"operator": "Exists"}]},
        {"priorityClassName": "system-node-critical"},
    ],
    ids=lambda field: next(iter(field)),
)
def test_a_pods_own_powers_are_neither_widened_nor_hidden(field: dict[str, Any]) -> None:
    """Who may grant them judges the pod after us, and must see what its author wrote."""
    raw = pod(volumes=[empty_dir("work")], **field)
    after = injected(raw)
    security = {"securityContext"} & field.keys()
    for key, value in field.items():
        if key in security:
            assert value.items() <= after["spec"][key].items()
        else:
            assert after["spec"][key] == value
    assert named(after, "dind") == named(injected(pod(volumes=[empty_dir("work")])), "dind")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ({"polciy": {"images": []}}, "polciy"),
        ({"policy": {"image": []}}, "image"),
        ({"policy": {"maximums": {"memory": "4Gi"}}}, "maximums"),
        ({"policy": {"maximum": {"ram": "4Gi"}}}, "ram"),
        ({"profiles": {"default": {"priviledged": False}}}, "priviledged"),
    ],
    ids=["policy", "images", "maximum", "memory", "privileged"],
)
def test_a_mistyped_bound_in_the_configuration_file_is_an_error(text: Json, path: str) -> None:
    """A key that nobody reads would leave open what it was meant to close."""
    with pytest.raises(ConfigError, match=f"{path}: unknown key"):
        parse_config(json.dumps(text).encode(), "config.yaml")
