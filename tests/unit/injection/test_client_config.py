"""The configuration of the Docker client: which containers get one, and what stays as it was."""

import json
from typing import Any

import pytest
from unit.injection.pods import (
    HOST_SOCKET,
    container,
    decided,
    empty_dir,
    injected,
    mount,
    mounts,
    named,
    operations,
    pod,
    volumes,
    warnings,
)

from webhook.injection import Injected, Reason

VOLUME = "dind-client-config"
DIRECTORY = "/etc/dind/docker"
VARIABLE = {"name": "DOCKER_CONFIG", "value": DIRECTORY}
SECRET = {
    "name": "dind-registry-credentials",
    "secret": {
        "secretName": "registry",
        "items": [{"key": ".dockerconfigjson", "path": "config.json"}],
        "defaultMode": 0o400,
    },
}
SECRET_DIRECTORY = "/var/dind/registry-credentials"
CREDENTIALS = f"{SECRET_DIRECTORY}/config.json"
PROXIES = "/var/dind/proxies.json"
PROXY = {"proxy": {"http": "http://proxy.example:3128", "noProxy": [".svc", "10.0.0.0/8"]}}
KEPT = "container build keeps its own {}, without the profile's credentials or proxies"


def profile(*containers: str, **fields: Any) -> dict[str, Any]:
    credentials = {"secretName": "registry", "containers": list(containers)}
    return {"profiles": {"default": {"registryCredentials": credentials, **fields}}}


def proxied(**fields: Any) -> dict[str, Any]:
    return {"profiles": {"default": {"daemon": {"proxy": {**PROXY["proxy"], **fields}}}}}


def job(chosen: str | None = "build", **spec: Any) -> dict[str, Any]:
    annotations = {} if chosen is None else {"containers": chosen}
    both = container("build"), container("database")
    return pod(*both, annotations=annotations, **spec)


def clients(raw: dict[str, Any]) -> dict[str, tuple[list[str], dict[str, Any]]]:
    """By name of the container: the files with more keys, and the keys of the container."""
    variables = named(raw, "dind").get("env") or ()
    texts = [v["value"] for v in variables if v["name"].startswith("DIND_CLIENT_")]
    found = {}
    for text in texts:
        words, _, keys = text.partition("\n")
        name, *files = words.split()
        found[name] = (files, json.loads(keys))
    return found


def has_directory(raw: dict[str, Any], name: str) -> bool:
    has_variable = VARIABLE in (named(raw, name).get("env") or ())
    assert has_variable == (mounts(raw, name).get(DIRECTORY) == f"{VOLUME}/{name}")
    assert has_variable == (name in clients(raw))
    return has_variable


def has_credentials(raw: dict[str, Any], name: str) -> bool:
    files, _ = clients(raw).get(name, ([], {}))
    return has_directory(raw, name) and CREDENTIALS in files


def test_containers_of_the_annotation_get_the_credentials() -> None:
    after = injected(job("build"), profile())
    assert has_credentials(after, "build")
    assert not has_directory(after, "database")
    assert after["spec"]["volumes"][-2:] == [SECRET, empty_dir(VOLUME)]
    assert warnings(job("build"), profile()) == []


def test_containers_of_the_profile_get_the_credentials() -> None:
    after = injected(job(None), profile("build"))
    assert has_credentials(after, "build")
    assert not has_directory(after, "database")
    assert named(after, "database")["env"]  # it has the socket


def test_the_profile_decides_where_the_annotation_lists_other_containers() -> None:
    after = injected(job("build,database"), profile("database"))
    assert not has_directory(after, "build")
    assert has_credentials(after, "database")


def test_init_containers_get_the_credentials_if_they_are_listed() -> None:
    raw = job("fetch", initContainers=[container("fetch")])
    after = injected(raw, profile())
    assert has_credentials(after, "fetch")
    assert not has_directory(after, "build")


@pytest.mark.parametrize(
    ("raw", "config", "cause"),
    [
        (job(None), profile(), "dind.io/containers lists none"),
        (job(None), profile("other"), "the profile names others"),
        (job("build"), profile("database"), "the profile names others"),
    ],
    ids=["no annotation", "no such container", "no socket there"],
)
def test_without_a_chosen_container_only_a_warning_remains(
    raw: dict[str, Any], config: dict[str, Any], cause: str
) -> None:
    assert warnings(raw, config) == [f"no container gets registry credentials: {cause}"]
    assert injected(raw, config) == injected(raw)


def test_a_pod_that_selects_mode_node_gets_a_warning_instead_of_credentials() -> None:
    raw = pod(container("build"), annotations={"containers": "build", "mode": "node"})
    policy = {"annotations": ["containers", "mode"]}
    config = {**profile(daemon=PROXY), "policy": policy}
    assert warnings(raw, config) == ["no container gets registry credentials: mode node has none"]
    assert injected(raw, config) == injected(raw, {"policy": policy})


def test_only_the_sidecar_mounts_the_secret_and_the_directories_of_all_containers() -> None:
    after = injected(job("build"), profile())
    assert mounts(after, "dind")[SECRET_DIRECTORY] == "dind-registry-credentials ro"
    assert mounts(after, "dind")["/var/dind/clients"] == VOLUME
    for name in ("build", "database"):
        assert "dind-registry-credentials" not in str(named(after, name))


def test_every_container_with_the_socket_gets_the_proxies() -> None:
    after = injected(job(None, initContainers=[container("fetch")]), proxied())
    assert clients(after).keys() == {"fetch", "build", "database"}
    assert all(has_directory(after, name) for name in clients(after))
    assert {tuple(files) for files, _ in clients(after).values()} == {(PROXIES,)}
    assert not any(volume.get("secret") for volume in after["spec"]["volumes"])
    assert not has_directory(injected(job("build"), proxied()), "database")


def test_the_proxies_are_those_of_the_daemon() -> None:
    after = injected(job(None), proxied(https="http://tls.example"))
    (text,) = [v["value"] for v in named(after, "dind")["env"] if v["name"] == "DIND_FILE_0"]
    path, keys = text.split("\n")
    assert path == PROXIES
    assert json.loads(keys)["proxies"]["default"] == {
        "httpProxy": "http://proxy.example:3128",
        "httpsProxy": "http://tls.example",
        "noProxy": ".svc,10.0.0.0/8",
    }


def test_proxies_can_be_left_to_the_daemon() -> None:
    after = injected(job(None), proxied(client=False))
    assert [v["name"] for v in named(after, "dind")["env"]] == ["HTTP_PROXY", "NO_PROXY"]
    assert not has_directory(after, "build")
    assert VOLUME not in volumes(after)


def test_credentials_come_after_the_proxies_so_that_the_keys_of_the_secret_win() -> None:
    after = injected(job(None), profile("build", daemon=PROXY))
    assert clients(after)["build"][0] == [PROXIES, CREDENTIALS]
    assert clients(after)["database"][0] == [PROXIES]


OF_ROOT = [
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
    "/root/.docker/cli-plugins",
]


@pytest.mark.parametrize(
    ("home", "more"),
    [
        ({}, OF_ROOT),
        ({"value": "/home/ci"}, ["/home/ci/.docker/cli-plugins"]),
        ({"value": "/home/$x/"}, ["/home/$x/.docker/cli-plugins"]),
        ({"value": "/"}, ["/.docker/cli-plugins"]),
        ({"value": "/root"}, ["/root/.docker/cli-plugins"]),
        ({"value": "work"}, OF_ROOT),
        ({"value": "$(WORK)/home"}, OF_ROOT),
        ({"value": f"/{'x' * 5000}"}, OF_ROOT),
        ({"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, OF_ROOT),
    ],
)
def test_plugins_in_the_home_directory_stay_in_use(home: dict[str, Any], more: list[str]) -> None:
    """Directories that a user may not enter come last: the client stops there."""
    variables = [{"name": "HOME", **home}] if home else []
    after = injected(pod(container("build", env=variables)), profile("build"))
    (variable,) = named(after, "dind")["env"]
    assert variable["value"].count("$$") == variable["value"].count("$") / 2
    _, keys = clients(json.loads(json.dumps(after).replace("$$", "$")))["build"]
    assert keys == {"cliPluginsExtraDirs": [f"{DIRECTORY}/cli-plugins", *more]}


def test_a_containers_own_variable_stays() -> None:
    own = {"name": "DOCKER_CONFIG", "value": "/work/.docker"}
    raw = pod(container("build", env=[own]), annotations={"containers": "build"})
    after = injected(raw, profile())
    assert named(after, "build")["env"][0] == own
    assert after["spec"] == injected(raw)["spec"]
    assert warnings(raw, profile()) == [KEPT.format("DOCKER_CONFIG")]


@pytest.mark.parametrize("empty", [{}, {"value": ""}, {"value": None}, {"valueFrom": None}])
def test_an_empty_variable_gets_the_directory(empty: dict[str, Any]) -> None:
    variables = [{"name": "DOCKER_CONFIG", **empty}, {"name": "CI", "value": "1"}]
    raw = pod(container("build", env=variables), annotations={"containers": "build"})
    after = injected(raw, profile())
    assert named(after, "build")["env"][0] == {**empty, **VARIABLE}
    assert warnings(raw, profile()) == []


@pytest.mark.parametrize(
    "path",
    [
        *(DIRECTORY, f"{DIRECTORY}/", "/root/.docker", "/home/ci/.docker/"),
        "/root/.docker/config.json",
    ],
)
def test_a_configuration_that_a_container_mounts_stays(path: str) -> None:
    own = container("build", volumeMounts=[mount("own", path)])
    secret = {"name": "own", "secret": {"secretName": "own"}}
    raw = pod(own, annotations={"containers": "build"}, volumes=[secret])
    for config in (profile(), proxied()):
        after = injected(raw, config)
        assert mounts(after, "build").keys() == {path, "/var/run"}
        assert VARIABLE not in named(after, "build")["env"]
        assert VOLUME not in volumes(after)
        assert warnings(raw, config) == [KEPT.format(path)]


@pytest.mark.parametrize("path", [DIRECTORY, "/root/.docker"])
def test_a_removed_mount_of_the_hosts_socket_is_no_configuration(path: str) -> None:
    """A daemon that starts last has no socket file yet that could be mounted instead."""
    config = proxied()
    config["profiles"]["default"]["placement"] = "container"
    own = container("build", volumeMounts=[mount("docker-sock", path)])
    raw = pod(own, volumes=[HOST_SOCKET])
    after = injected(raw, config)
    assert has_directory(after, "build")
    assert mounts(after, "build").keys() == {"/var/run", DIRECTORY}
    assert injected(after, config) == after


@pytest.mark.parametrize("path", [DIRECTORY, "/root/.docker"])
def test_a_socket_in_the_place_of_a_configuration_stays(path: str) -> None:
    own = container("build", volumeMounts=[mount("docker-sock", path)])
    raw = pod(own, volumes=[HOST_SOCKET])
    after = injected(raw, proxied())
    assert mounts(after, "build").keys() == {"/var/run", path}
    assert warnings(raw, proxied()) == [KEPT.format(path)]
    assert injected(after, proxied()) == after


CLAIM = {"claimName": "own"}
READ_ONLY_VOLUMES: dict[str, dict[str, Any]] = {
    "secret": {"secret": {"secretName": "own"}},
    "configMap": {"configMap": {"name": "own"}},
    "projected": {"projected": {"sources": []}},
    "downwardAPI": {"downwardAPI": {"items": []}},
    "image": {"image": {"reference": "own"}},
    "PVC": {"persistentVolumeClaim": {**CLAIM, "readOnly": True}},
    "NFS": {"nfs": {"server": "own", "path": "/", "readOnly": True}},
    "CSI": {"csi": {"driver": "own.example", "readOnly": True}},
}
CLOSED = (
    "container build gets none of the profile's credentials or proxies: nothing can be mounted "
    "below {}"
)


def below(path: str, volume: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A pod whose container has a volume at a path above the directory."""
    own = container("build", volumeMounts=[{**mount("own", path), **fields}])
    return pod(own, annotations={"containers": "build"}, volumes=[{"name": "own", **volume}])


def client_warnings(raw: dict[str, Any], config: dict[str, Any]) -> list[str]:
    """The warnings without those that the volume is not mirrored in the sidecar."""
    return [text for text in warnings(raw, config) if "mirrored" not in text]


@pytest.mark.parametrize("path", ["/etc", "/etc/dind", "/etc/dind/"])
@pytest.mark.parametrize("volume", READ_ONLY_VOLUMES.values(), ids=READ_ONLY_VOLUMES)
def test_no_directory_is_mounted_in_a_read_only_volume(path: str, volume: dict[str, Any]) -> None:
    """The runtime could not make it there, and the container would never start."""
    raw = below(path, volume)
    for config in (profile(), proxied()):
        after = injected(raw, config)
        assert mounts(after, "build").keys() == {path, "/var/run"}
        assert VARIABLE not in named(after, "build")["env"]
        assert VOLUME not in volumes(after)
        assert client_warnings(raw, config) == [CLOSED.format(path)]


def test_no_directory_is_mounted_in_a_read_only_mount() -> None:
    raw = below("/etc", {"emptyDir": {}}, readOnly=True)
    assert not has_directory(injected(raw, profile()), "build")
    assert client_warnings(raw, profile()) == [CLOSED.format("/etc")]


@pytest.mark.parametrize(
    ("path", "volume"),
    [
        *(("/etc", {"emptyDir": {}}), ("/etc/dind", {"persistentVolumeClaim": CLAIM})),
        *((path, {"configMap": {"name": "own"}}) for path in ("/", "/etc/dind/x", "/etc/dinder")),
    ],
)
def test_other_mounts_near_the_directory_do_not_matter(path: str, volume: dict[str, Any]) -> None:
    raw = below(path, volume)
    assert has_credentials(injected(raw, profile()), "build")
    assert client_warnings(raw, profile()) == []


@pytest.mark.parametrize("fields", [{}, {"readOnly": True}])
@pytest.mark.parametrize("config", [profile(), proxied()], ids=["credentials", "proxies"])
def test_no_directory_is_mounted_below_the_hosts_socket(
    config: dict[str, Any], fields: dict[str, Any]
) -> None:
    """The mount of the daemon's socket that replaces it is a file, too."""
    raw = below("/etc/dind", {"hostPath": {"path": "/var/run/docker.sock"}}, **fields)
    after = injected(raw, config)
    assert not has_directory(after, "build")
    assert CLOSED.format("/etc/dind") in warnings(raw, config)
    assert injected(after, config) == after


@pytest.mark.parametrize("fields", [{}, {"readOnly": True}])
def test_a_directory_is_mounted_below_the_shared_volume(fields: dict[str, Any]) -> None:
    """It replaces the host's directory with the socket."""
    raw = below("/etc/dind", {"hostPath": {"path": "/var/run"}}, **fields)
    after = injected(raw, proxied())
    assert has_directory(after, "build")
    assert injected(after, proxied()) == after


def test_the_nearest_mount_above_the_directory_counts() -> None:
    raw = below("/etc", {"configMap": {"name": "own"}})
    raw["spec"]["volumes"].append(empty_dir("work"))
    raw["spec"]["containers"][0]["volumeMounts"].insert(0, mount("work", "/etc/dind"))
    assert has_credentials(injected(raw, profile()), "build")


def test_a_second_run_leaves_a_container_with_a_read_only_volume_as_it_is() -> None:
    raw = below("/etc", {"configMap": {"name": "own"}})
    again = decided(injected(raw, proxied()), proxied())
    assert isinstance(again, Injected)
    assert operations(again) == []


def test_a_volume_of_the_same_name_is_another_one() -> None:
    raw = job("build", volumes=[empty_dir(VOLUME), empty_dir("dind-registry-credentials")])
    after = injected(raw, profile())
    assert mounts(after, "build")[DIRECTORY] == f"{VOLUME}-1/build"
    assert mounts(after, "dind")["/var/dind/clients"] == f"{VOLUME}-1"
    assert volumes(after)[-2:] == ["dind-registry-credentials-1", f"{VOLUME}-1"]


BOTH = profile("build", "late", daemon=PROXY)


@pytest.mark.parametrize("config", [profile(), proxied(), BOTH])
def test_a_second_run_changes_nothing(config: dict[str, Any]) -> None:
    once = injected(job("build"), config)
    decision = decided(once, config)
    assert isinstance(decision, Injected)
    assert decision.reason is Reason.ALREADY_INJECTED
    assert operations(decision) == []
    assert decision.warnings == []


@pytest.mark.parametrize(
    "lost",
    [
        ["build.env"],
        ["build.volumeMounts"],
        ["dind.env"],
        ["dind.volumeMounts"],
        ["volumes"],
        ["dind.env", "dind.volumeMounts", "volumes"],
        ["build.env", "build.volumeMounts", "database.volumeMounts", "dind.volumeMounts"],
    ],
    ids="+".join,
)
def test_what_another_webhook_dropped_is_put_back(lost: list[str]) -> None:
    once, broken = injected(job(None), BOTH), injected(job(None), BOTH)
    for each in lost:
        name, _, field = each.partition(".")
        if name == "volumes":
            kept = [v for v in broken["spec"]["volumes"] if v["name"] != VOLUME]
            broken["spec"]["volumes"] = kept
        elif field == "env":
            names = ("DOCKER_CONFIG", "DIND_CLIENT_0")
            kept = [v for v in named(broken, name)["env"] if v["name"] not in names]
            named(broken, name)["env"] = kept
        else:
            kept = [v for v in named(broken, name)["volumeMounts"] if v["name"] != VOLUME]
            named(broken, name)["volumeMounts"] = kept
    after = injected(broken, BOTH)
    assert warnings(broken, BOTH) == []
    for name in ("build", "database", "dind"):
        assert by_name(named(after, name)) == by_name(named(once, name))
    assert sorted(volumes(after)) == sorted(volumes(once))


def by_name(fields: dict[str, Any]) -> dict[str, Any]:
    """A container whose variables are in the order of their names: what was lost comes last."""
    return {**fields, "env": sorted(fields["env"], key=lambda variable: variable["name"])}


def test_the_directories_are_not_mirrored_after_a_loss() -> None:
    broken = injected(job(None), BOTH)
    del named(broken, "dind")["volumeMounts"]
    assert warnings(broken, BOTH) == []
    assert DIRECTORY not in mounts(injected(broken, BOTH), "dind")


@pytest.mark.parametrize("config", [BOTH, profile("late")], ids=["first of two", "only one"])
@pytest.mark.parametrize("field", ["containers", "initContainers"])
def test_containers_added_later_get_a_directory_of_the_same_volume(
    field: str, config: dict[str, Any]
) -> None:
    once = injected(job(None), config)
    once["spec"][field].append(container("late"))
    twice = injected(once, config)
    assert has_credentials(twice, "late")
    names = [v["name"] for v in named(twice, "dind")["env"] if "CLIENT" in v["name"]]
    assert names == [f"DIND_CLIENT_{number}" for number in range(len(clients(twice)))]
    before = clients(once)
    assert {name: found for name, found in clients(twice).items() if name in before} == before
    assert volumes(twice).count(VOLUME) == 1
    assert volumes(twice).count("dind-registry-credentials") == 1
    again = decided(twice, config)
    assert isinstance(again, Injected)
    assert operations(again) == []


def test_directories_stand_in_every_kind_of_sidecar() -> None:
    after = injected(job(None), profile("build", placement="container"))
    assert after["spec"]["containers"][-1]["name"] == "dind"
    assert has_credentials(after, "build")


def test_pods_with_many_containers_are_injected_and_accepted_again() -> None:
    homes = [{"name": "HOME", "value": "/" + "h" * 4000}]
    many = [container(f"c{number}" + "x" * 50, env=homes) for number in range(490)]
    config = proxied(noProxy=["x" * 256] * 256)
    again = decided(injected(pod(*many), config), config)
    assert isinstance(again, Injected)
    assert again.reason is Reason.ALREADY_INJECTED


def test_variables_of_the_sidecar_have_a_bound() -> None:
    long = container("x" * 63, env=[{"name": "HOME", "value": "/" + "\u1234$" * 2000}])
    config = proxied(noProxy=["x" * 256] * 256, http="http://" + "p" * 4000)
    for variable in named(injected(pod(long), config), "dind")["env"]:
        assert len(f"{variable['name']}={variable['value']}".encode()) < 128 * 1024


def test_a_volume_of_another_kind_is_not_shown_to_the_containers_of_a_look_alike() -> None:
    raw = injected(job(None), BOTH)
    for volume in raw["spec"]["volumes"]:
        if volume["name"] == VOLUME:
            del volume["emptyDir"]
            volume["hostPath"] = {"path": "/"}
    raw["spec"]["containers"].append(container("late"))
    once = injected(raw, BOTH)
    assert mounts(once, "late")[DIRECTORY] == f"{VOLUME}-1/late"
    again = decided(once, BOTH)
    assert isinstance(again, Injected)
    assert operations(again) == []
