"""Pods that used the host's Docker keep working where there is none."""

import pytest
from unit.injection.pods import (
    HOST_RUN,
    HOST_SOCKET,
    Json,
    container,
    docker_host,
    empty_dir,
    injected,
    mount,
    mounts,
    named,
    pod,
    volumes,
    warnings,
)

ADDRESS = "unix:///var/run/docker.sock"
LATE: Json = {"profiles": {"default": {"placement": "container"}}}


@pytest.mark.parametrize(
    "host", ["/var/run/docker.sock", "/run/docker.sock", "/var/run/docker.sock/"]
)
def test_host_socket_mounts_become_mounts_of_the_shared_volume(host: str) -> None:
    raw = pod(
        container(volumeMounts=[mount("sock", "/var/run/docker.sock")]),
        volumes=[{"name": "sock", "hostPath": {"path": host, "type": "Socket"}}],
    )
    after = injected(raw)
    assert mounts(after, "main") == {"/var/run": "cache-dir"}
    assert docker_host(after, "main") == ADDRESS
    assert volumes(after) == ["cache-dir", "dind-storage", "dind-no-token"]
    assert warnings(raw) == []


def test_mounts_at_run_keep_their_path() -> None:
    raw = pod(
        container(volumeMounts=[mount("docker-sock", "/run/docker.sock")]), volumes=[HOST_SOCKET]
    )
    after = injected(raw)
    assert mounts(after, "main") == {"/run": "cache-dir"}
    assert docker_host(after, "main") == "unix:///run/docker.sock"


def test_sockets_at_other_paths_are_mounted_there_and_at_the_default_path() -> None:
    env = [{"name": "DOCKER_HOST", "value": "unix:///host/docker.sock"}]
    raw = pod(
        container(volumeMounts=[mount("docker-sock", "/host/docker.sock", readOnly=True)], env=env),
        volumes=[HOST_SOCKET],
    )
    after = injected(raw)
    assert mounts(after, "main") == {
        "/var/run": "cache-dir",
        "/host/docker.sock": "cache-dir/docker.sock",
    }
    assert named(after, "main")["env"] == env
    assert warnings(raw) == []


@pytest.mark.parametrize("directory", ["/var/run/dind", "/run/dind"])
def test_a_socket_in_a_directory_of_its_own_does_not_hide_run(directory: str) -> None:
    """The host's socket becomes a mount of the file: images keep files in /run."""
    config = {"profiles": {"default": {"socket": {"directory": directory}}}}
    raw = pod(
        container(volumeMounts=[mount("sock", "/var/run/docker.sock")]),
        volumes=[{"name": "sock", "hostPath": {"path": "/var/run/docker.sock"}}],
    )
    after = injected(raw, config)
    assert [
        (m["mountPath"], m["name"], m.get("subPath")) for m in named(after, "main")["volumeMounts"]
    ] == [
        (directory, "cache-dir", None),
        ("/var/run/docker.sock", "cache-dir", "docker.sock"),
    ]
    assert docker_host(after, "main") == f"unix://{directory}/docker.sock"


def test_new_mounts_stand_after_new_mounts_above_them() -> None:
    config = {"profiles": {"default": {"socket": {"directory": "/run/dind"}}}}
    raw = pod(
        container(volumeMounts=[mount("run", "/var/run")]),
        volumes=[{"name": "run", "hostPath": {"path": "/var/run"}}],
    )
    paths = [m["mountPath"] for m in named(injected(raw, config), "main")["volumeMounts"]]
    assert paths == ["/var/run", "/run/dind"]


def test_host_directory_mounts_become_mounts_of_the_shared_volume() -> None:
    raw = pod(
        container("usual", volumeMounts=[mount("host-run", "/var/run")]),
        container("odd", volumeMounts=[mount("host-run", "/host/run")]),
        volumes=[HOST_RUN],
    )
    after = injected(raw)
    assert mounts(after, "usual") == {"/var/run": "cache-dir"}
    assert mounts(after, "odd") == {"/var/run": "cache-dir", "/host/run": "cache-dir"}
    assert docker_host(after, "odd") == ADDRESS
    assert volumes(after) == ["cache-dir", "dind-storage", "dind-no-token"]


def test_sub_path_mounts_of_the_socket_are_migrated() -> None:
    raw = pod(
        container(volumeMounts=[mount("host-run", "/var/run/docker.sock", subPath="docker.sock")]),
        volumes=[HOST_RUN],
    )
    after = injected(raw)
    assert mounts(after, "main") == {"/var/run": "cache-dir"}
    assert volumes(after) == ["cache-dir", "dind-storage", "dind-no-token"]


@pytest.mark.parametrize("fields", [{"subPath": "containerd"}, {"subPathExpr": "$(X)"}], ids=str)
def test_other_sub_paths_of_the_host_directory_are_kept(fields: dict[str, str]) -> None:
    theirs = mount("host-run", "/host", **fields)
    raw = pod(container(volumeMounts=[theirs]), volumes=[HOST_RUN])
    after = injected(raw)
    assert named(after, "main")["volumeMounts"] == [mount("cache-dir", "/var/run"), theirs]
    assert volumes(after) == ["host-run", "cache-dir", "dind-storage", "dind-no-token"]


@pytest.mark.parametrize(
    "path",
    ["/run/user/1000/docker.sock", "/srv/docker.sock", "/var/run/docker/docker.sock/"],
)
def test_every_docker_socket_of_the_host_is_replaced(path: str) -> None:
    raw = pod(
        container(volumeMounts=[mount("host", "/var/run/docker.sock")]),
        volumes=[{"name": "host", "hostPath": {"path": path}}],
    )
    after = injected(raw)
    assert mounts(after, "main") == {"/var/run": "cache-dir"}
    assert volumes(after) == ["cache-dir", "dind-storage", "dind-no-token"]


def test_a_socket_by_sub_path_of_any_host_directory_is_replaced() -> None:
    raw = pod(
        container(volumeMounts=[mount("host", "/x/docker.sock", subPath="a/docker.sock")]),
        volumes=[{"name": "host", "hostPath": {"path": "/srv"}}],
    )
    after = injected(raw)
    assert named(after, "main")["volumeMounts"] == [
        mount("cache-dir", "/var/run"),
        mount("cache-dir", "/x/docker.sock", subPath="docker.sock"),
    ]


@pytest.mark.parametrize("path", ["/", "/var", "/var/run/containerd", "/srv/my-docker.sock"])
def test_other_host_paths_are_kept(path: str) -> None:
    raw = pod(
        container(volumeMounts=[mount("host", "/host")]),
        volumes=[{"name": "host", "hostPath": {"path": path}}],
    )
    assert mounts(injected(raw), "main") == {"/host": "host", "/var/run": "cache-dir"}


def test_host_volumes_that_are_still_mounted_are_kept() -> None:
    raw = pod(
        container("build", volumeMounts=[mount("docker-sock", "/var/run/docker.sock")]),
        container("other", volumeMounts=[mount("docker-sock", "/var/run/docker.sock")]),
        volumes=[HOST_SOCKET],
        annotations={"containers": "build"},
    )
    after = injected(raw)
    assert mounts(after, "build") == {"/var/run": "cache-dir"}
    assert named(after, "other") == named(raw, "other")
    assert volumes(after) == ["docker-sock", "cache-dir", "dind-storage", "dind-no-token"]


def test_host_volumes_without_mounts_are_kept() -> None:
    raw = pod(
        container(volumeMounts=[mount("docker-sock", "/var/run/docker.sock")]),
        volumes=[HOST_RUN, HOST_SOCKET],
    )
    assert volumes(injected(raw)) == ["host-run", "cache-dir", "dind-storage", "dind-no-token"]


def test_only_the_host_mounts_are_removed() -> None:
    raw = pod(
        container(
            volumeMounts=[
                mount("a", "/a"),
                mount("docker-sock", "/var/run/docker.sock"),
                mount("b", "/b"),
                mount("host-run", "/host/run"),
                mount("c", "/c"),
            ]
        ),
        volumes=[empty_dir("a"), HOST_SOCKET, empty_dir("b"), HOST_RUN, empty_dir("c")],
    )
    after = injected(raw)
    assert list(mounts(after, "main")) == ["/var/run", "/host/run", "/a", "/b", "/c"]
    assert volumes(after) == ["a", "b", "c", "cache-dir", "dind-storage", "dind-no-token"]


def test_two_host_mounts_of_one_directory_become_one() -> None:
    raw = pod(
        container(
            volumeMounts=[
                mount("docker-sock", "/var/run/docker.sock"),
                mount("host-run", "/var/run"),
            ]
        ),
        volumes=[HOST_SOCKET, HOST_RUN],
    )
    assert mounts(injected(raw), "main") == {"/var/run": "cache-dir"}


def test_var_run_and_run_are_both_migrated() -> None:
    raw = pod(
        container(
            volumeMounts=[
                mount("docker-sock", "/run/docker.sock"),
                mount("docker-sock", "/var/run/docker.sock"),
            ]
        ),
        volumes=[HOST_SOCKET],
    )
    assert mounts(injected(raw), "main") == {"/run": "cache-dir", "/var/run": "cache-dir"}


def test_the_socket_file_is_mounted_in_a_directory_that_is_in_use() -> None:
    raw = pod(
        container(
            volumeMounts=[mount("mine", "/var/run"), mount("docker-sock", "/var/run/docker.sock")]
        ),
        volumes=[empty_dir("mine"), HOST_SOCKET],
    )
    after = injected(raw)
    assert mounts(after, "main") == {
        "/var/run": "mine",
        "/run/dind": "cache-dir",
        "/var/run/docker.sock": "cache-dir/docker.sock",
    }
    assert docker_host(after, "main") == "unix:///run/dind/docker.sock"


def test_the_other_directory_differs_from_the_migrated_ones() -> None:
    """Two mounts at one path would be rejected by the API server."""
    raw = pod(
        container(volumeMounts=[mount("mine", "/var/run"), mount("host-run", "/run/dind")]),
        volumes=[empty_dir("mine"), HOST_RUN],
    )
    after = injected(raw)
    assert mounts(after, "main")["/run/dind"] == "cache-dir"
    assert (docker_host(after, "main") or "").startswith("unix:///run/dind")


def test_paths_that_the_user_mounts_twice_are_kept() -> None:
    raw = pod(
        container(volumeMounts=[mount("host-run", "/host"), mount("mine", "/host/docker.sock")]),
        volumes=[HOST_RUN, empty_dir("mine")],
    )
    config = {"profiles": {"default": {"mode": "node"}}}
    assert mounts(injected(raw, config), "main") == {
        "/host/docker.sock": "mine",
        "/var/run/dind": "dind-node ro",
    }


def test_an_existing_mount_of_the_shared_volume_replaces_the_host_mount() -> None:
    raw = pod(
        container(
            volumeMounts=[
                mount("cache-dir", "/var/run"),
                mount("docker-sock", "/var/run/docker.sock"),
            ]
        ),
        volumes=[empty_dir("cache-dir"), HOST_SOCKET],
    )
    after = injected(raw)
    assert mounts(after, "main") == {"/var/run": "cache-dir"}
    assert volumes(after) == ["cache-dir", "dind-storage", "dind-no-token"]


def test_a_daemon_that_starts_last_has_no_socket_at_other_paths() -> None:
    """The kubelet would create a directory `docker.sock` for it, and dockerd could not listen."""
    raw = pod(
        container(volumeMounts=[mount("docker-sock", "/host/docker.sock")]), volumes=[HOST_SOCKET]
    )
    after = injected(raw, LATE)
    assert mounts(after, "main") == {"/var/run": "cache-dir"}
    assert docker_host(after, "main") == ADDRESS
    assert warnings(raw, LATE) == [
        "container main no longer has a Docker socket at /host/docker.sock",
    ]


def test_a_daemon_that_starts_last_has_its_socket_at_the_default_path() -> None:
    raw = pod(
        container(volumeMounts=[mount("docker-sock", "/var/run/docker.sock")]),
        volumes=[HOST_SOCKET],
    )
    assert mounts(injected(raw, LATE), "main") == {"/var/run": "cache-dir"}
    assert warnings(raw, LATE) == []


def test_the_node_socket_is_mounted_as_a_file() -> None:
    """Its directory is never mounted at /var/run, where the kubelet's token lies below."""
    config = {"profiles": {"default": {"mode": "node"}}}
    raw = pod(
        container("socket", volumeMounts=[mount("docker-sock", "/var/run/docker.sock")]),
        container("directory", volumeMounts=[mount("host-run", "/var/run")]),
        volumes=[HOST_SOCKET, HOST_RUN],
    )
    after = injected(raw, config)
    for name in ("socket", "directory"):
        assert mounts(after, name) == {
            "/var/run/dind": "dind-node ro",
            "/var/run/docker.sock": "dind-node/docker.sock ro",
        }
        assert docker_host(after, name) == "unix:///var/run/dind/docker.sock"
    assert volumes(after) == ["dind-node", "dind-no-token"]


def test_kept_parts_of_the_host_directory_keep_their_path() -> None:
    """Two mounts at one path would be rejected by the API server."""
    raw = pod(
        container(
            volumeMounts=[
                mount("host-run", "/var/run", subPath="containerd"),
                mount("docker-sock", "/var/run/docker.sock"),
            ]
        ),
        volumes=[HOST_RUN, HOST_SOCKET],
    )
    assert mounts(injected(raw), "main") == {
        "/var/run": "host-run/containerd",
        "/run/dind": "cache-dir",
        "/var/run/docker.sock": "cache-dir/docker.sock",
    }


@pytest.mark.parametrize("path", ["/host/run/docker.sock", "/host/run/"])
def test_sockets_in_a_migrated_directory_need_no_file_mount(path: str) -> None:
    raw = pod(
        container(volumeMounts=[mount("host-run", "/host/run"), mount("docker-sock", path)]),
        volumes=[HOST_RUN, HOST_SOCKET],
    )
    for config in ({}, LATE):
        expected = {"/var/run": "cache-dir", "/host/run": "cache-dir"}
        assert mounts(injected(raw, config), "main") == expected
        assert warnings(raw, config) == [
            "container main no longer has the host's files at /host/run"
        ]


def test_no_two_mounts_are_added_at_the_same_path() -> None:
    """The API server would reject the pod."""
    present = [
        mount("other", "/var/run/"),
        mount("host-run", "/run"),
        mount("host-run", "/run/docker.sock"),
    ]
    other = {"name": "other", "secret": {"secretName": "x"}}
    result = injected(pod(container(volumeMounts=present), volumes=[other, HOST_RUN]))
    assert mounts(result, "main")["/run/docker.sock"] == "cache-dir"


@pytest.mark.parametrize(
    ("host", "fields", "line"),
    [
        ("/usr/bin/docker", {"mountPath": "/usr/bin/docker"}, "docker program at /usr/bin/docker"),
        ("/usr/local/bin/docker", {"mountPath": "/docker"}, "docker program at /docker"),
        ("/usr/bin/docker-current", {"mountPath": "/d"}, "docker program at /d"),
        ("/opt/docker/docker", {"mountPath": "/bin/docker"}, "docker program at /bin/docker"),
        ("/usr/bin", {"mountPath": "/d", "subPath": "docker"}, "docker program at /d"),
        ("/var/lib/docker", {"mountPath": "/var/lib/docker"}, "image store at /var/lib/docker"),
        ("/var/lib/docker/volumes/", {"mountPath": "/volumes"}, "image store at /volumes"),
        ("/var/lib", {"mountPath": "/d", "subPath": "docker"}, "image store at /d"),
    ],
    ids=str,
)
def test_what_goes_with_the_host_socket_is_a_warning(
    host: str, fields: dict[str, str], line: str
) -> None:
    raw = pod(
        container(volumeMounts=[{"name": "host", **fields}]),
        volumes=[{"name": "host", "hostPath": {"path": host}}],
    )
    assert [text for text in warnings(raw) if f"mounts the host's {line}" in text]
    assert {"name": "host", **fields} in named(injected(raw), "main")["volumeMounts"]


@pytest.mark.parametrize("host", ["/srv/docker", "/var/lib/dockerish", "/usr/bin/docker-compose"])
def test_other_mounts_of_the_host_are_not_taken_for_docker(host: str) -> None:
    raw = pod(
        container(volumeMounts=[mount("host", "/work")]),
        volumes=[{"name": "host", "hostPath": {"path": host}}],
    )
    assert warnings(raw) == ["/work is not mirrored in dind: it is a directory of the node"]
