"""How containers as they are come to see the socket."""

from typing import Any

import pytest
from unit.injection.pods import (
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

OTHER = "unix:///run/dind/docker.sock"


@pytest.mark.parametrize(
    "path", ["/var/run", "/var/run/", "/run", "/var/run/docker.sock", "/run/docker.sock"]
)
def test_containers_that_use_the_directory_get_another_one(path: str) -> None:
    raw = pod(container(volumeMounts=[mount("mine", path)]), volumes=[empty_dir("mine")])
    after = injected(raw)
    assert mounts(after, "main") == {path: "mine", "/run/dind": "cache-dir"}
    assert docker_host(after, "main") == OTHER
    assert mounts(after, "dind")["/var/run"] == "cache-dir"
    assert warnings(raw) == [
        "container main already mounts a volume at /var/run: its socket is in /run/dind"
    ]


def test_the_other_directory_gets_a_number_if_it_is_in_use() -> None:
    taken = [mount("mine", "/run"), mount("mine", "/var/run/dind"), mount("mine", "/run/dind-2")]
    raw = pod(container(volumeMounts=taken), volumes=[empty_dir("mine")])
    after = injected(raw)
    assert mounts(after, "main")["/run/dind-3"] == "cache-dir"
    assert docker_host(after, "main") == "unix:///run/dind-3/docker.sock"


@pytest.mark.parametrize(
    "path", ["/var", "/var/run/postgresql", "/var/run/secrets/token", "/running", "/var/running"]
)
def test_mounts_near_the_directory_do_not_conflict(path: str) -> None:
    """The kubelet's own token lies below /var/run in nearly every container."""
    secret = {"name": "mine", "secret": {"secretName": "x"}}
    raw = pod(container(volumeMounts=[mount("mine", path)]), volumes=[secret])
    after = injected(raw)
    assert mounts(after, "main") == {path: "mine", "/var/run": "cache-dir"}
    assert warnings(raw) == []


@pytest.mark.parametrize(
    "variable",
    [
        {"value": "tcp://docker:2375"},
        {"value": "unix:///var/run/other.sock"},
        {"valueFrom": {"configMapKeyRef": {"name": "x", "key": "y"}}},
    ],
    ids=str,
)
def test_containers_keep_their_own_docker_host(variable: dict[str, Any]) -> None:
    raw = pod(container(env=[{"name": "DOCKER_HOST", **variable}]))
    after = injected(raw)
    assert named(after, "main")["env"] == named(raw, "main")["env"]
    assert mounts(after, "main") == {"/var/run": "cache-dir"}
    assert warnings(raw) == ["container main keeps its own DOCKER_HOST"]


@pytest.mark.parametrize(
    "address",
    ["unix:///var/run/docker.sock", "unix:///run/docker.sock", "unix:////var/run/docker.sock"],
)
def test_docker_host_values_that_name_the_socket_cause_no_warning(address: str) -> None:
    raw = pod(container(env=[{"name": "DOCKER_HOST", "value": address}]))
    assert docker_host(injected(raw), "main") == address
    assert warnings(raw) == []


@pytest.mark.parametrize("variable", [{"value": ""}, {"value": None}, {}, {"valueFrom": None}])
def test_an_empty_docker_host_is_set(variable: dict[str, Any]) -> None:
    before, after = {"name": "A", "value": "1"}, {"name": "B", "value": ""}
    raw = pod(container(env=[before, {"name": "DOCKER_HOST", **variable}, after]))
    env = named(injected(raw), "main")["env"]
    address = "unix:///var/run/docker.sock"
    assert env == [before, {"name": "DOCKER_HOST", **variable, "value": address}, after]
    assert warnings(raw) == []


@pytest.mark.parametrize("name", ["DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH"])
@pytest.mark.parametrize(
    "source", [{"value": "1"}, {"value": "0"}, {"valueFrom": {"fieldRef": {}}}], ids=str
)
@pytest.mark.parametrize("host", ["", "unix:///run/docker.sock"])
def test_tls_on_the_socket_is_a_warning(name: str, source: dict[str, Any], host: str) -> None:
    """Clients use TLS if the variable has any value, "0" included."""
    env = [{"name": name, **source}, {"name": "DOCKER_HOST", "value": host}]
    assert warnings(pod(container(env=env))) == [
        f"container main sets {name}: the socket has no TLS, so clients would fail; remove it"
    ]


def test_tls_variables_of_a_container_share_a_warning() -> None:
    names = ["DOCKER_CERT_PATH", "DOCKER_TLS", "DOCKER_TLS_VERIFY"]
    raw = pod(container(env=[{"name": name, "value": "1"} for name in names]))
    (line,) = warnings(raw)
    assert line.startswith(
        "container main sets DOCKER_TLS_VERIFY, DOCKER_TLS, DOCKER_CERT_PATH: the socket has"
    )


@pytest.mark.parametrize("name", ["DOCKER_TLS_VERIFY", "DOCKER_TLS_CERTDIR"])
def test_variables_that_switch_no_tls_on_cause_no_warning(name: str) -> None:
    value = "/certs" if name == "DOCKER_TLS_CERTDIR" else ""
    assert warnings(pod(container(env=[{"name": name, "value": value}]))) == []


def test_tls_to_another_daemon_is_no_mistake() -> None:
    env = [
        {"name": "DOCKER_TLS_VERIFY", "value": "1"},
        {"name": "DOCKER_HOST", "value": "tcp://x:2376"},
    ]
    assert warnings(pod(container(env=env))) == ["container main keeps its own DOCKER_HOST"]


def test_docker_host_is_added_after_other_variables() -> None:
    after = injected(pod(container(env=[{"name": "CI", "value": "true"}])))
    assert [variable["name"] for variable in named(after, "main")["env"]] == ["CI", "DOCKER_HOST"]


@pytest.mark.parametrize("empty", [None, []], ids=["null", "empty"])
def test_null_and_empty_lists_are_like_absent_ones(empty: list[Any] | None) -> None:
    main = container(env=empty, volumeMounts=empty)
    raw = pod(main, volumes=empty, initContainers=empty, imagePullSecrets=empty)
    after = injected(raw)
    absent = injected(pod())
    assert named(after, "main") == named(absent, "main")
    assert after["spec"]["volumes"] == absent["spec"]["volumes"]
    assert after["spec"]["initContainers"] == absent["spec"]["initContainers"]


def test_volumes_of_the_same_name_are_kept() -> None:
    raw = pod(
        container(volumeMounts=[mount("cache-dir", "/cache")]), volumes=[empty_dir("cache-dir")]
    )
    after = injected(raw)
    assert volumes(after) == ["cache-dir", "dind-cache-dir", "dind-storage", "dind-no-token"]
    assert mounts(after, "main") == {"/cache": "cache-dir", "/var/run": "dind-cache-dir"}
    assert mounts(after, "dind")["/var/run"] == "dind-cache-dir"
    assert warnings(raw) == [
        "the pod has another volume cache-dir: the socket's volume is dind-cache-dir"
    ]


def test_the_shared_volume_gets_a_number_if_both_names_are_in_use() -> None:
    raw = pod(
        volumes=[
            {"name": "cache-dir", "configMap": {"name": "x"}},
            {"name": "dind-cache-dir", "configMap": {"name": "x"}},
        ]
    )
    assert volumes(injected(raw))[2:] == ["dind-cache-dir-2", "dind-storage", "dind-no-token"]


def test_an_existing_cache_dir_becomes_the_shared_volume() -> None:
    raw = pod(
        container("build", volumeMounts=[mount("cache-dir", "/var/run")]),
        container("test", volumeMounts=[mount("cache-dir", "/run")]),
        container("lint"),
        volumes=[empty_dir("cache-dir")],
    )
    after = injected(raw)
    assert volumes(after) == ["cache-dir", "dind-storage", "dind-no-token"]
    assert mounts(after, "dind")["/var/run"] == "cache-dir"
    assert mounts(after, "build") == {"/var/run": "cache-dir"}
    assert mounts(after, "test") == {"/run": "cache-dir"}
    assert mounts(after, "lint") == {"/var/run": "cache-dir"}
    assert docker_host(after, "build") == "unix:///var/run/docker.sock"
    assert docker_host(after, "test") == "unix:///run/docker.sock"
    assert warnings(raw) == []


def test_a_cache_dir_without_mounts_becomes_the_shared_volume() -> None:
    assert volumes(injected(pod(volumes=[empty_dir("cache-dir")]))) == [
        "cache-dir",
        "dind-storage",
        "dind-no-token",
    ]


@pytest.mark.parametrize(
    "fields",
    [{"readOnly": True}, {"subPath": "x"}, {"subPathExpr": "$(X)"}, {"mountPath": "/var/run/x"}],
    ids=str,
)
def test_a_cache_dir_with_other_mounts_is_kept(fields: dict[str, Any]) -> None:
    raw = pod(
        container(volumeMounts=[{**mount("cache-dir", "/var/run"), **fields}]),
        volumes=[empty_dir("cache-dir")],
    )
    after = injected(raw)
    assert volumes(after) == ["cache-dir", "dind-cache-dir", "dind-storage", "dind-no-token"]
    assert "dind-cache-dir" in mounts(after, "main").values()


def test_a_persistent_cache_dir_is_kept() -> None:
    """On a claim, the files of a dead pod's daemon would meet the next pod's."""
    claim = {"name": "cache-dir", "persistentVolumeClaim": {"claimName": "x"}}
    raw = pod(container(volumeMounts=[mount("cache-dir", "/var/run")]), volumes=[claim])
    after = injected(raw)
    assert mounts(after, "main") == {"/var/run": "cache-dir", "/run/dind": "dind-cache-dir"}


def test_the_daemon_mounts_its_socket_at_the_paths_of_docker_host() -> None:
    """Clients hand the path on: `docker run -v /run/dind/docker.sock:/var/run/docker.sock`."""
    raw = pod(container(volumeMounts=[mount("w", "/var/run")]), volumes=[empty_dir("w")])
    assert mounts(injected(raw), "dind")["/run/dind"] == "cache-dir"


def test_mounts_above_the_socket_directory_come_before_it() -> None:
    theirs = [mount("a", "/run/dind/x"), mount("b", "/var/run"), mount("c", "/work")]
    raw = pod(container(volumeMounts=theirs), volumes=[empty_dir(name) for name in "abc"])
    ours = mount("cache-dir", "/run/dind")
    assert named(injected(raw), "main")["volumeMounts"] == [*theirs[:2], ours, theirs[2]]


@pytest.mark.parametrize("path", ["/run/secrets", "/var/run/mysqld", "/run/a/b/", "//run/x"])
def test_mounts_below_the_socket_directory_come_after_it(path: str) -> None:
    theirs = mount("other", path)
    raw = pod(container(volumeMounts=[theirs]), volumes=[empty_dir("other")])
    assert named(injected(raw), "main")["volumeMounts"] == [mount("cache-dir", "/var/run"), theirs]
