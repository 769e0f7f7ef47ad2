"""What a pod gains in mode sidecar."""

import json

import pytest
from unit.injection.pods import (
    HOST_SOCKET,
    LENIENT,
    Json,
    container,
    decided,
    docker_host,
    empty_dir,
    injected,
    mount,
    mounts,
    named,
    patched,
    pod,
    volumes,
    warnings,
)

from webhook import __version__
from webhook.injection import Audit, Endpoint, Injected
from webhook.injection.scripts import CHECK_NODE_AND_START, START, WAIT


def profile(**fields: object) -> Json:
    return {"profiles": {"default": fields}}


@pytest.mark.parametrize(
    ("kind", "isolation", "expected"),
    [
        ("Localhost", "privileged", {"type": "Unconfined"}),
        ("Localhost", "runtimeClass", None),
        ("RuntimeDefault", "privileged", None),
    ],
)
def test_a_privileged_sidecar_does_not_inherit_the_pod_s_local_apparmor_profile(
    kind: str, isolation: str, expected: Json | None
) -> None:
    raw = pod(securityContext={"appArmorProfile": {"type": kind, "localhostProfile": "ci"}})
    config = profile(isolation=isolation, runtimeClassName="sysbox")
    after = injected(raw, config)
    assert named(after, "dind")["securityContext"].get("appArmorProfile") == expected
    assert after["spec"]["securityContext"]["appArmorProfile"]["type"] == kind


def test_a_plain_pod_is_injected_exactly_like_this() -> None:
    after = injected(pod(container("main", command=["make"])))
    status = json.loads(after["metadata"]["annotations"].pop("dind.io/status"))
    assert status == {
        "version": __version__,
        "mode": "sidecar",
        "profile": "default",
        "image": "docker:29-dind",
        "containers": ["main"],
    }
    assert after == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "job", "annotations": {"dind.io/inject": "true"}},
        "spec": {
            "initContainers": [
                {
                    "name": "dind",
                    "image": "docker:29-dind",
                    "restartPolicy": "Always",
                    "command": ["sh", "-c", START, "dind-start"],
                    "args": [
                        "--host=unix:///var/run/docker.sock",
                        "--group=2375",
                        "--pidfile=/var/dind/docker.pid",
                        "--exec-root=/var/dind/exec",
                    ],
                    "securityContext": {
                        "privileged": True,
                        "runAsUser": 0,
                        "runAsGroup": 0,
                        "runAsNonRoot": False,
                    },
                    "lifecycle": {
                        "postStart": {
                            "exec": {
                                "command": [
                                    *("sh", "-c", WAIT, "dind-wait", "60"),
                                    "unix:///var/run/docker.sock",
                                    "/var/dind/log",
                                ]
                            }
                        }
                    },
                    "resources": {
                        "requests": {
                            "cpu": "250m",
                            "memory": "512Mi",
                            "ephemeral-storage": "1Gi",
                        },
                        "limits": {"memory": "4Gi"},
                    },
                    "volumeMounts": [
                        {"name": "cache-dir", "mountPath": "/var/run"},
                        {"name": "dind-storage", "mountPath": "/var/lib/docker"},
                        {
                            "name": "dind-no-token",
                            "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
                            "readOnly": True,
                        },
                    ],
                }
            ],
            "containers": [
                {
                    "name": "main",
                    "image": "alpine:3",
                    "command": ["make"],
                    "volumeMounts": [{"name": "cache-dir", "mountPath": "/var/run"}],
                    "env": [{"name": "DOCKER_HOST", "value": "unix:///var/run/docker.sock"}],
                }
            ],
            "volumes": [
                {"name": "cache-dir", "emptyDir": {}},
                {"name": "dind-storage", "emptyDir": {"sizeLimit": "20Gi"}},
                {"name": "dind-no-token", "emptyDir": {"sizeLimit": "1Mi"}},
            ],
            "securityContext": {"supplementalGroups": [2375]},
        },
    }


def test_audit_annotations_name_profile_mode_and_image() -> None:
    decision = decided(pod())
    assert isinstance(decision, Injected)
    assert decision.audit == Audit("default", "sidecar", "docker:29-dind")
    assert decision.warnings == []


def test_the_patch_is_the_same_for_both_ways_to_opt_in() -> None:
    by_pod, by_namespace = decided(pod()), decided(pod(), endpoint=Endpoint.NAMESPACE)
    assert by_pod == by_namespace


def test_init_containers_run_after_the_daemon_and_get_the_socket() -> None:
    raw = pod(initContainers=[container("clone"), container("prepare")])
    after = injected(raw)
    names = [each["name"] for each in after["spec"]["initContainers"]]
    assert names == ["dind", "clone", "prepare"]
    for name in ("clone", "prepare", "main"):
        assert mounts(after, name) == {"/var/run": "cache-dir"}
        assert docker_host(after, name) == "unix:///var/run/docker.sock"


def test_native_sidecars_of_the_user_are_changed_only_if_named() -> None:
    raw = pod(initContainers=[container("logs", restartPolicy="Always")])
    assert named(injected(raw), "logs") == named(raw, "logs")
    raw["metadata"]["annotations"]["dind.io/containers"] = "logs"
    after = injected(raw)
    assert mounts(after, "logs") == {"/var/run": "cache-dir"}
    assert named(after, "main") == named(raw, "main")


def test_only_named_containers_are_changed() -> None:
    raw = pod(
        container("build"),
        container("test"),
        initContainers=[container("clone")],
        annotations={"containers": "test"},
    )
    after = injected(raw)
    assert mounts(after, "test") == {"/var/run": "cache-dir"}
    assert named(after, "build") == named(raw, "build")
    assert named(after, "clone") == named(raw, "clone")
    status = json.loads(after["metadata"]["annotations"]["dind.io/status"])
    assert status["containers"] == ["test"]


def test_containers_named_like_the_other_mode_s_container_get_the_socket() -> None:
    raw = pod(container("dind-wait"), annotations={"containers": "dind-wait"})
    assert mounts(injected(raw), "dind-wait") == {"/var/run": "cache-dir"}


@pytest.mark.parametrize(
    "context", [None, {}, {"supplementalGroups": None}, {"fsGroup": 1}], ids=str
)
def test_the_socket_group_is_added_to_the_security_context(context: Json | None) -> None:
    after = injected(pod(securityContext=context))
    expected = {**(context or {}), "supplementalGroups": [2375]}
    assert after["spec"]["securityContext"] == expected


@pytest.mark.parametrize(
    ("before", "expected"), [([], [2375]), ([1, 2], [1, 2, 2375]), ([2375, 1], [2375, 1])]
)
def test_existing_groups_are_kept(before: list[int], expected: list[int]) -> None:
    after = injected(pod(securityContext={"supplementalGroups": before}))
    assert after["spec"]["securityContext"]["supplementalGroups"] == expected


def test_pull_secrets_are_added_once() -> None:
    secrets = [{"name": "ours"}, {"name": "theirs"}, {"name": "ours"}]
    after = injected(pod(imagePullSecrets=[{"name": "theirs"}]), profile(imagePullSecrets=secrets))
    assert after["spec"]["imagePullSecrets"] == [{"name": "theirs"}, {"name": "ours"}]


def test_daemon_settings_become_flags() -> None:
    daemon = {
        "defaultAddressPools": [{"base": "10.200.0.0/16", "size": 24}],
        "mtu": 1400,
        "extraArgs": ["--debug", "--label=a=b"],
    }
    after = injected(pod(), profile(daemon=daemon))
    assert named(after, "dind")["args"][4:] == [
        "--default-address-pool=base=10.200.0.0/16,size=24",
        "--mtu=1400",
        "--default-network-opt=bridge=com.docker.network.driver.mtu=1400",
        "--debug",
        "--label=a=b",
    ]


def test_socket_directory_group_and_deadline_are_configurable() -> None:
    socket = {"directory": "/srv/docker", "gid": 999}
    after = injected(pod(), profile(socket=socket, startTimeout=120))
    dind = named(after, "dind")
    assert dind["args"][:2] == ["--host=unix:///srv/docker/docker.sock", "--group=999"]
    hook = dind["lifecycle"]["postStart"]["exec"]["command"]
    assert hook[3:] == ["dind-wait", "120", "unix:///srv/docker/docker.sock", "/var/dind/log"]
    assert mounts(after, "main") == {"/srv/docker": "cache-dir"}
    assert docker_host(after, "main") == "unix:///srv/docker/docker.sock"
    assert after["spec"]["securityContext"] == {"supplementalGroups": [999]}


def test_the_image_store_can_be_in_memory() -> None:
    after = injected(pod(), profile(storage={"sizeLimit": "2Gi", "medium": "Memory"}))
    assert after["spec"]["volumes"][1] == {
        "name": "dind-storage",
        "emptyDir": {"sizeLimit": "2Gi", "medium": "Memory"},
    }


@pytest.mark.parametrize(
    ("template", "storage_class"),
    [
        ({}, {}),
        ({"spec": {}}, {}),
        ({"spec": {"storageClassName": None}}, {}),
        ({"spec": {"storageClassName": "fast-ssd"}}, {"storageClassName": "fast-ssd"}),
    ],
    ids=str,
)
@pytest.mark.parametrize("placement", ["initContainer", "container"])
def test_the_image_store_can_be_a_generic_ephemeral_volume(
    template: Json, storage_class: Json, placement: str
) -> None:
    storage = {"sizeLimit": "50Gi", "volumeClaimTemplate": template}
    config = profile(storage=storage, placement=placement)
    after = injected(pod(), config)
    spec = {
        "accessModes": ["ReadWriteOnce"],
        **storage_class,
        "resources": {"requests": {"storage": "50Gi"}},
    }
    assert after["spec"]["volumes"][1] == {
        "name": "dind-storage",
        "ephemeral": {"volumeClaimTemplate": {"spec": spec}},
    }
    assert mounts(after, "dind")["/var/lib/docker"] == "dind-storage"
    assert injected(after, config) == after


def test_the_storage_annotation_sets_the_request_of_the_pvc() -> None:
    config = {**LENIENT, **profile(storage={"volumeClaimTemplate": {}})}
    after = injected(pod(annotations={"storage": "40Gi"}), config)
    spec = after["spec"]["volumes"][1]["ephemeral"]["volumeClaimTemplate"]["spec"]
    assert spec["resources"] == {"requests": {"storage": "40Gi"}}


def test_unprivileged_profiles_add_their_runtime_class() -> None:
    after = injected(pod(), profile(isolation="runtimeClass", runtimeClassName="sysbox-runc"))
    assert named(after, "dind")["securityContext"]["privileged"] is False
    assert after["spec"]["runtimeClassName"] == "sysbox-runc"


@pytest.mark.parametrize(
    ("spec", "placement"),
    [
        ({}, "initContainer"),
        ({"hostUsers": None}, "container"),
        ({"hostUsers": False}, "container"),
    ],
    ids=str,
)
def test_a_user_namespace_needs_no_privileges_and_nothing_of_the_node(
    spec: Json, placement: str
) -> None:
    config = profile(isolation="userNamespace", runtimeClassName="dind-userns", placement=placement)
    job = container(volumeMounts=[mount("docker-sock", "/var/run/docker.sock")])
    after = injected(pod(job, volumes=[HOST_SOCKET], **spec), config)
    assert after["spec"]["hostUsers"] is False
    assert after["spec"]["runtimeClassName"] == "dind-userns"
    assert not any("hostPath" in volume for volume in after["spec"]["volumes"])
    daemon = named(after, "dind")
    assert daemon["securityContext"] == {
        "privileged": False,
        "runAsUser": 0,
        "runAsGroup": 0,
        "runAsNonRoot": False,
        "allowPrivilegeEscalation": True,
        "procMount": "Unmasked",
        "seccompProfile": {"type": "Unconfined"},
        "appArmorProfile": {"type": "Unconfined"},
        "capabilities": {"add": ["SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE"]},
    }
    assert daemon["command"] == ["sh", "-c", CHECK_NODE_AND_START, "dind-start"]
    assert injected(after, config) == after


def test_a_user_namespace_takes_the_seccomp_profile_of_its_profile() -> None:
    config = profile(isolation="userNamespace", seccompProfile="ci/dind-seccomp.json")
    assert named(injected(pod(), config), "dind")["securityContext"]["seccompProfile"] == {
        "type": "Localhost",
        "localhostProfile": "ci/dind-seccomp.json",
    }


@pytest.mark.parametrize(
    "metadata", [{}, {"annotations": None}, {"annotations": {}}], ids=["absent", "null", "empty"]
)
def test_the_status_is_added_to_pods_without_annotations(metadata: Json) -> None:
    raw = {**pod(), "metadata": metadata}
    decision = decided(raw, endpoint=Endpoint.NAMESPACE)
    assert isinstance(decision, Injected)
    assert list(patched(raw, decision)["metadata"]["annotations"]) == ["dind.io/status"]


def test_the_image_store_gets_a_number_if_its_name_is_in_use() -> None:
    raw = pod(
        container(volumeMounts=[mount("dind-storage", "/data")]),
        volumes=[{"name": "dind-storage", "persistentVolumeClaim": {"claimName": "x"}}],
    )
    after = injected(raw)
    assert volumes(after) == ["dind-storage", "cache-dir", "dind-storage-1", "dind-no-token"]
    assert mounts(after, "dind")["/var/lib/docker"] == "dind-storage-1"
    assert mounts(after, "dind")["/data"] == "dind-storage"


def test_directories_of_the_node_are_mounted_read_only() -> None:
    config = {"profiles": {"default": {"nodeDirectories": ["/lib/modules", "/usr/src"]}}}
    raw = pod(volumes=[empty_dir("dind-node-directory")])
    after = injected(raw, config)
    assert (
        mounts(after, "dind").items()
        >= {
            "/lib/modules": "dind-node-directory-1 ro",
            "/usr/src": "dind-node-directory-2 ro",
        }.items()
    )
    assert [volume.get("hostPath") for volume in after["spec"]["volumes"][-2:]] == [
        {"path": "/lib/modules", "type": "Directory"},
        {"path": "/usr/src", "type": "Directory"},
    ]
    assert injected(after, config) == after


def test_another_mount_of_the_socket_does_not_hide_the_daemon_s_own() -> None:
    """Containerd mounts paths with equally many components in the order of the list."""
    config = {"profiles": {"default": {"socket": {"directory": "/run/dind"}}}}
    raw = pod(
        container(
            env=[{"name": "DOCKER_HOST", "value": "unix:///var/run/docker.sock"}],
            volumeMounts=[mount("run", "/var/run")],
        ),
        volumes=[{"name": "run", "hostPath": {"path": "/var/run"}}],
    )
    paths = [m["mountPath"] for m in named(injected(raw, config), "dind")["volumeMounts"]]
    assert paths.index("/var/run") < paths.index("/run/dind")


@pytest.mark.parametrize("path", ["/srv/cache", "/srv/cache/tmp", "/srv"])
def test_a_job_s_volume_does_not_replace_a_directory_of_the_node(path: str) -> None:
    config = {"profiles": {"default": {"nodeDirectories": ["/srv/cache"]}}}
    raw = pod(container(volumeMounts=[mount("w", path)]), volumes=[empty_dir("w")])
    assert mounts(injected(raw, config), "dind")["/srv/cache"] == "dind-node-directory ro"
    assert "w" not in mounts(injected(raw, config), "dind").values()
    assert warnings(raw, config) == [
        f"{path} is not mirrored in dind: the daemon has files of its own there"
    ]


def test_plain_pods_have_no_warnings() -> None:
    assert warnings(pod(annotations={"memory": "8Gi", "mode": "sidecar"}), LENIENT) == []
