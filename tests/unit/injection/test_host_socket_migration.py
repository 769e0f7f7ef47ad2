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
def test_the_host_s_socket_at_its_usual_path_becomes_the_sidecar_s(host: str) -> None:
    raw = pod(
        container(volumeMounts=[mount("sock", "/var/run/docker.sock")]),
        volumes=[{"name": "sock", "hostPath": {"path": host, "type": "Socket"}}],
    )
    after = injected(raw)
    assert mounts(after, "main") == {"/var/run": "cache-dir"}
    assert docker_host(after, "main") == ADDRESS
    assert volumes(after) == ["cache-dir", "dind-storage"]
    assert warnings(raw) == []


def test_a_mount_at_run_stays_where_the_job_looks_for_it() -> None:
    raw = pod(
        container(volumeMounts=[mount("docker-sock", "/run/docker.sock")]), volumes=[HOST_SOCKET]
    )
    after = injected(raw)
    assert mounts(after, "main") == {"/run": "cache-dir"}
    assert docker_host(after, "main") == "unix:///run/docker.sock"


def test_at_an_odd_path_the_socket_is_there_and_at_the_usual_one() -> None:
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


def test_the_host_s_folder_becomes_the_sidecar_s_wherever_it_is_mounted() -> None:
    raw = pod(
        container("usual", volumeMounts=[mount("host-run", "/var/run")]),
        container("odd", volumeMounts=[mount("host-run", "/host/run")]),
        volumes=[HOST_RUN],
    )
    after = injected(raw)
    assert mounts(after, "usual") == {"/var/run": "cache-dir"}
    assert mounts(after, "odd") == {"/var/run": "cache-dir", "/host/run": "cache-dir"}
    assert docker_host(after, "odd") == ADDRESS
    assert volumes(after) == ["cache-dir", "dind-storage"]


def test_the_socket_as_a_sub_path_of_the_host_s_folder_is_the_socket() -> None:
    raw = pod(
        container(volumeMounts=[mount("host-run", "/var/run/docker.sock", subPath="docker.sock")]),
        volumes=[HOST_RUN],
    )
    after = injected(raw)
    assert mounts(after, "main") == {"/var/run": "cache-dir"}
    assert volumes(after) == ["cache-dir", "dind-storage"]


@pytest.mark.parametrize("fields", [{"subPath": "containerd"}, {"subPathExpr": "$(X)"}], ids=str)
def test_other_parts_of_the_host_s_folder_are_not_ours(fields: dict[str, str]) -> None:
    theirs = mount("host-run", "/host", **fields)
    raw = pod(container(volumeMounts=[theirs]), volumes=[HOST_RUN])
    after = injected(raw)
    assert named(after, "main")["volumeMounts"] == [theirs, mount("cache-dir", "/var/run")]
    assert volumes(after) == ["host-run", "cache-dir", "dind-storage"]


@pytest.mark.parametrize("path", ["/", "/var", "/var/run/containerd", "/srv/docker.sock"])
def test_other_host_paths_are_not_ours(path: str) -> None:
    raw = pod(
        container(volumeMounts=[mount("host", "/host")]),
        volumes=[{"name": "host", "hostPath": {"path": path}}],
    )
    assert mounts(injected(raw), "main") == {"/host": "host", "/var/run": "cache-dir"}


def test_a_volume_that_another_container_still_mounts_stays() -> None:
    raw = pod(
        container("build", volumeMounts=[mount("docker-sock", "/var/run/docker.sock")]),
        container("other", volumeMounts=[mount("docker-sock", "/var/run/docker.sock")]),
        volumes=[HOST_SOCKET],
        annotations={"containers": "build"},
    )
    after = injected(raw)
    assert mounts(after, "build") == {"/var/run": "cache-dir"}
    assert named(after, "other") == named(raw, "other")
    assert volumes(after) == ["docker-sock", "cache-dir", "dind-storage"]


def test_a_host_volume_that_nothing_mounted_stays() -> None:
    raw = pod(
        container(volumeMounts=[mount("docker-sock", "/var/run/docker.sock")]),
        volumes=[HOST_RUN, HOST_SOCKET],
    )
    assert volumes(injected(raw)) == ["host-run", "cache-dir", "dind-storage"]


def test_mounts_between_others_are_taken_out_and_the_others_stay() -> None:
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
    assert list(mounts(after, "main")) == ["/a", "/b", "/c", "/var/run", "/host/run"]
    assert volumes(after) == ["a", "b", "c", "cache-dir", "dind-storage"]


def test_two_host_mounts_that_want_the_same_folder_become_one() -> None:
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


def test_both_spellings_are_served() -> None:
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


def test_in_a_taken_folder_the_socket_stands_in_by_itself() -> None:
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


def test_the_other_folder_is_never_one_that_the_migration_uses() -> None:
    """Two mounts at one path would be refused by the API server."""
    raw = pod(
        container(volumeMounts=[mount("mine", "/var/run"), mount("host-run", "/run/dind")]),
        volumes=[empty_dir("mine"), HOST_RUN],
    )
    after = injected(raw)
    assert mounts(after, "main")["/run/dind"] == "cache-dir"
    assert (docker_host(after, "main") or "").startswith("unix:///run/dind")


def test_a_path_that_the_user_covers_again_is_left_to_the_user() -> None:
    raw = pod(
        container(volumeMounts=[mount("host-run", "/host"), mount("mine", "/host/docker.sock")]),
        volumes=[HOST_RUN, empty_dir("mine")],
    )
    config = {"profiles": {"default": {"mode": "node"}}}
    assert mounts(injected(raw, config), "main") == {
        "/host/docker.sock": "mine",
        "/var/run/dind": "dind-node ro",
    }


def test_in_the_article_s_adopted_folder_the_socket_needs_no_mount_of_its_own() -> None:
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
    assert volumes(after) == ["cache-dir", "dind-storage"]


def test_a_daemon_that_starts_late_leaves_no_socket_at_an_odd_path() -> None:
    """The kubelet would make a folder `docker.sock` for it, and dockerd could not listen."""
    raw = pod(
        container(volumeMounts=[mount("docker-sock", "/host/docker.sock")]), volumes=[HOST_SOCKET]
    )
    after = injected(raw, LATE)
    assert mounts(after, "main") == {"/var/run": "cache-dir"}
    assert docker_host(after, "main") == ADDRESS
    assert warnings(raw, LATE) == [
        "container main no longer has a Docker socket at /host/docker.sock",
    ]


def test_a_daemon_that_starts_late_serves_the_usual_path() -> None:
    raw = pod(
        container(volumeMounts=[mount("docker-sock", "/var/run/docker.sock")]),
        volumes=[HOST_SOCKET],
    )
    assert mounts(injected(raw, LATE), "main") == {"/var/run": "cache-dir"}
    assert warnings(raw, LATE) == []


def test_the_node_s_socket_stands_in_as_a_file() -> None:
    """Its folder never goes to /var/run, where the kubelet's token lies below."""
    config = {"profiles": {"default": {"mode": "node"}}}
    raw = pod(
        container("socket", volumeMounts=[mount("docker-sock", "/var/run/docker.sock")]),
        container("folder", volumeMounts=[mount("host-run", "/var/run")]),
        volumes=[HOST_SOCKET, HOST_RUN],
    )
    after = injected(raw, config)
    for name in ("socket", "folder"):
        assert mounts(after, name) == {
            "/var/run/dind": "dind-node ro",
            "/var/run/docker.sock": "dind-node/docker.sock ro",
        }
        assert docker_host(after, name) == "unix:///var/run/dind/docker.sock"
    assert volumes(after) == ["dind-node"]


def test_a_part_of_the_host_s_folder_that_stays_takes_its_place() -> None:
    """Two mounts at one path would be refused by the API server."""
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
def test_in_a_folder_that_is_served_the_socket_needs_no_mount_of_its_own(path: str) -> None:
    raw = pod(
        container(volumeMounts=[mount("host-run", "/host/run"), mount("docker-sock", path)]),
        volumes=[HOST_RUN, HOST_SOCKET],
    )
    for config in ({}, LATE):
        expected = {"/var/run": "cache-dir", "/host/run": "cache-dir"}
        assert mounts(injected(raw, config), "main") == expected
        assert warnings(raw, config) == [
            "container main has the injected daemon's directory at /host/run, no longer the host's"
        ]
