"""The job's own volumes at the same paths in the daemon."""

from typing import Any

import pytest
from unit.injection.pods import (
    NO_TOKEN,
    container,
    empty_dir,
    injected,
    mount,
    mounts,
    pod,
    warnings,
)

OWN = {"/var/run": "cache-dir", "/var/lib/docker": "dind-storage", **NO_TOKEN}


def mirrored(raw: dict[str, Any], config: dict[str, Any] | None = None) -> dict[str, str]:
    """The daemon's mounts of the job's own volumes."""
    found = mounts(injected(raw, config), "dind")
    assert found.items() >= OWN.items()
    return {path: name for path, name in found.items() if name not in OWN.values()}


@pytest.mark.parametrize(
    "source",
    [
        {"emptyDir": {}},
        {"persistentVolumeClaim": {"claimName": "x"}},
        {"ephemeral": {"volumeClaimTemplate": {}}},
        {"nfs": {"server": "x", "path": "/"}},
        {"azureFile": {"secretName": "x", "shareName": "y"}},
        {"cephfs": {"monitors": ["x"]}},
        {"glusterfs": {"endpoints": "x", "path": "y"}},
        {"iscsi": {"targetPortal": "x", "iqn": "y", "lun": 0}},
        {"awsElasticBlockStore": {"volumeID": "x"}},
        {"gcePersistentDisk": {"pdName": "x"}},
    ],
    ids=lambda source: next(iter(source)),
)
def test_volumes_that_hold_the_job_s_files_are_mirrored(source: dict[str, Any]) -> None:
    raw = pod(container(volumeMounts=[mount("w", "/work/")]), volumes=[{"name": "w", **source}])
    assert mirrored(raw) == {"/work": "w"}
    assert warnings(raw) == []


@pytest.mark.parametrize(
    "source",
    [
        {"secret": {"secretName": "x"}},
        {"configMap": {"name": "x"}},
        {"projected": {"sources": []}},
        {"downwardAPI": {}},
    ],
    ids=lambda source: next(iter(source)),
)
def test_volumes_made_of_api_objects_are_not_mirrored(source: dict[str, Any]) -> None:
    raw = pod(container(volumeMounts=[mount("w", "/work")]), volumes=[{"name": "w", **source}])
    assert mirrored(raw) == {}
    assert warnings(raw) == []


@pytest.mark.parametrize(
    ("source", "obstacle"),
    [
        ({"hostPath": {"path": "/srv"}}, "it is a directory of the node"),
        (
            {"csi": {"driver": "x"}},
            'profile key mirrorCSIDrivers does not list the driver "x"',
        ),
        ({"flexVolume": {"driver": "x"}}, "volumes of its type are not mirrored"),
        ({"image": {"reference": "x"}}, "volumes of its type are not mirrored"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_volumes_that_are_not_mirrored_are_a_warning(source: dict[str, Any], obstacle: str) -> None:
    raw = pod(
        container("a", volumeMounts=[mount("w", "/work")]),
        container("b", volumeMounts=[mount("w", "/work")]),
        volumes=[{"name": "w", **source}],
    )
    assert mirrored(raw) == {}
    assert warnings(raw) == [f"/work is not mirrored in dind: {obstacle}"]


def test_csi_drivers_that_a_profile_lists_are_mirrored() -> None:
    config = {"profiles": {"default": {"mirrorCSIDrivers": ["nfs.csi.k8s.io"]}}}
    volumes = [
        {"name": "files", "csi": {"driver": "nfs.csi.k8s.io"}},
        {"name": "secrets", "csi": {"driver": "secrets-store.csi.k8s.io"}},
    ]
    mounted = [mount("files", "/files"), mount("secrets", "/secrets")]
    raw = pod(container(volumeMounts=mounted), volumes=volumes)
    assert mirrored(raw, config) == {"/files": "files"}
    (line,) = warnings(raw, config)
    assert line.startswith("/secrets is not mirrored")


@pytest.mark.parametrize("path", ["/dev/shm", "/sys/fs/cgroup", "/proc/x", "/run/x", "/var/run/x"])
def test_run_time_state_and_files_of_the_kernel_cause_no_warning(path: str) -> None:
    raw = pod(container(volumeMounts=[mount("w", path)]), volumes=[empty_dir("w")])
    assert warnings(raw) == []


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/var", "/var/run/x", "/run", "/run/x", "/var/lib", "/var/lib/docker"),
        *("/var/lib/docker/x", "/var/dind", "/proc", "/sys/fs", "/dev/shm", "/usr", "/etc/ssl"),
        *("/bin", "/usr/local/bin", "/work/../etc", "/lib64", "/opt", "/opt/containerd/bin"),
        *("/opt/cni/bin", "/opt/nri", "/usr/libexec/docker", "/lib/modules"),
    ],
)
def test_protected_paths_are_not_mirrored(path: str) -> None:
    raw = pod(container(volumeMounts=[mount("w", path)]), volumes=[empty_dir("w")])
    assert mirrored(raw) == {}
    if not path.startswith(("/proc", "/sys", "/dev", "/run", "/var/run")):
        assert "the daemon has files of its own there" in warnings(raw)[-1]


@pytest.mark.parametrize(
    "path",
    [
        *("/vario", "/etcetera", "/home/user", "/tmp", "/var/lib/dockerish", "/root"),
        *("/opt/tools", "/opt/containerd-x", "/var/cache"),
    ],
)
def test_paths_that_only_begin_like_protected_ones_are_mirrored(path: str) -> None:
    raw = pod(container(volumeMounts=[mount("w", path)]), volumes=[empty_dir("w")])
    assert mirrored(raw) == {path: "w"}


def test_the_socket_directory_of_the_profile_is_protected() -> None:
    config = {"profiles": {"default": {"socket": {"directory": "/srv/docker"}}}}
    raw = pod(
        container(volumeMounts=[mount("w", "/srv"), mount("w", "/srv/docker/x")]),
        volumes=[empty_dir("w")],
    )
    assert mounts(injected(raw, config), "dind").keys() - OWN.keys() == {"/srv/docker"}


def test_mounts_of_several_containers_are_mirrored_once() -> None:
    raw = pod(
        container("a", volumeMounts=[mount("w", "/work")]),
        container("b", volumeMounts=[mount("w", "/work/")]),
        volumes=[empty_dir("w")],
    )
    assert mirrored(raw) == {"/work": "w"}


def test_different_volumes_at_one_path_are_not_mirrored() -> None:
    raw = pod(
        container("a", volumeMounts=[mount("w", "/work"), mount("x", "/x")]),
        container("b", volumeMounts=[mount("x", "/work")]),
        volumes=[empty_dir("w"), empty_dir("x")],
    )
    assert mirrored(raw) == {"/x": "x"}
    assert warnings(raw) == [
        "/work is not mirrored in dind: containers mount different volumes there"
    ]


def test_volumes_of_different_types_at_one_path_are_not_mirrored() -> None:
    """Otherwise one of the containers would find the files of the other's volume."""
    raw = pod(
        container("a", volumeMounts=[mount("w", "/work")]),
        container("b", volumeMounts=[mount("of-node", "/work")]),
        volumes=[empty_dir("w"), {"name": "of-node", "hostPath": {"path": "/srv"}}],
    )
    assert mirrored(raw) == {}
    assert warnings(raw) == [
        "/work is not mirrored in dind: containers mount different volumes there"
    ]


@pytest.mark.parametrize(
    "source", [{"secret": {"secretName": "s"}}, {"configMap": {"name": "c"}}], ids=str
)
def test_a_volume_is_not_mirrored_where_another_container_has_api_objects(
    source: dict[str, Any],
) -> None:
    raw = pod(
        container("a", volumeMounts=[mount("s", "/work")]),
        container("b", volumeMounts=[mount("w", "/work")]),
        volumes=[{"name": "s", **source}, empty_dir("w")],
    )
    assert mirrored(raw) == {}
    assert warnings(raw) == [
        "/work is not mirrored in dind: containers mount different volumes there"
    ]


@pytest.mark.parametrize("spelled", ["q", "q/", "./q", "q//"])
def test_sub_paths_are_compared_as_the_kernel_sees_them(spelled: str) -> None:
    raw = pod(
        container("a", volumeMounts=[mount("w", "/work") | {"subPath": "q"}]),
        container("b", volumeMounts=[mount("w", "/work/") | {"subPath": spelled}]),
        volumes=[empty_dir("w")],
    )
    assert mirrored(raw) == {"/work": "w/q"}
    assert warnings(raw) == []


def test_a_directory_of_the_node_that_the_daemon_mounts_too_causes_no_warning() -> None:
    raw = pod(
        container(volumeMounts=[mount("h", "/lib/modules")]),
        volumes=[{"name": "h", "hostPath": {"path": "/lib/modules"}}],
    )
    assert warnings(raw, {"profiles": {"default": {"nodeDirectories": ["/lib/modules"]}}}) == []


def test_different_sub_paths_at_one_path_are_not_mirrored() -> None:
    raw = pod(
        container("a", volumeMounts=[mount("w", "/work", subPath="a")]),
        container("b", volumeMounts=[mount("w", "/work", subPath="b")]),
        volumes=[empty_dir("w")],
    )
    assert mirrored(raw) == {}
    assert len(warnings(raw)) == 1


@pytest.mark.parametrize(
    ("one", "other", "shown"), [(True, True, "w ro"), (True, False, "w"), (True, None, "w")]
)
def test_mirrored_mounts_are_read_only_if_all_are(
    one: bool, other: bool | None, shown: str
) -> None:
    raw = pod(
        container("a", volumeMounts=[mount("w", "/work", readOnly=one)]),
        container("b", volumeMounts=[mount("w", "/work", readOnly=other)]),
        volumes=[empty_dir("w")],
    )
    assert mirrored(raw) == {"/work": shown}


def test_sub_paths_are_mirrored() -> None:
    raw = pod(
        container(volumeMounts=[mount("w", "/work", subPath="src")]), volumes=[empty_dir("w")]
    )
    assert mirrored(raw) == {"/work": "w/src"}


def test_sub_paths_that_an_init_container_may_create_are_not_mirrored() -> None:
    """Argo's init container writes input artifacts to where `main` mounts them by subPath.

    The daemon starts before it, so that the kubelet would create a directory of that name.
    """
    raw = pod(
        container(volumeMounts=[mount("inputs", "/tmp/message", subPath="message")]),
        initContainers=[container("init", volumeMounts=[mount("inputs", "/argo/inputs")])],
        volumes=[empty_dir("inputs")],
    )
    assert mirrored(raw) == {"/argo/inputs": "inputs"}
    assert warnings(raw) == [
        "/tmp/message is not mirrored in dind: an init container may have to create its subPath"
    ]


def test_a_daemon_that_starts_last_mirrors_such_sub_paths() -> None:
    raw = pod(
        container(volumeMounts=[mount("inputs", "/tmp/message", subPath="message")]),
        initContainers=[container("init", volumeMounts=[mount("inputs", "/argo/inputs")])],
        volumes=[empty_dir("inputs")],
    )
    config = {"profiles": {"default": {"placement": "container"}}}
    assert mirrored(raw, config) == {"/tmp/message": "inputs/message"}


def test_sub_path_expressions_are_not_mirrored() -> None:
    raw = pod(
        container(volumeMounts=[mount("w", "/work", subPathExpr="$(POD)")]),
        volumes=[empty_dir("w")],
    )
    assert mirrored(raw) == {}
    assert warnings(raw) == [
        "/work is not mirrored in dind: subPathExpr has another meaning in the daemon"
    ]


def test_mounts_of_containers_without_the_socket_are_not_mirrored() -> None:
    raw = pod(
        container("build", volumeMounts=[mount("w", "/work")]),
        container("vault", volumeMounts=[mount("v", "/vault")]),
        volumes=[empty_dir("w"), empty_dir("v")],
        annotations={"containers": "build"},
    )
    assert mirrored(raw) == {"/work": "w"}


def test_profiles_can_disable_mirrored_mounts() -> None:
    config = {"profiles": {"default": {"mirrorMounts": False}}}
    raw = pod(container(volumeMounts=[mount("w", "/work")]), volumes=[empty_dir("w")])
    assert mirrored(raw, config) == {}
