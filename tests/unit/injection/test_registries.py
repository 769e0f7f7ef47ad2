"""Registries, CAs, proxies and daemon.json: what the sidecar and the pod's containers get."""

import copy
import datetime as dt
import json
import tomllib
from typing import Any

import pytest
from unit.config.authorities import authority
from unit.injection.pods import (
    LENIENT,
    NODE,
    Json,
    container,
    decided,
    injected,
    mount,
    mounts,
    named,
    operations,
    pod,
    volumes,
)

from webhook.injection import Injected

CA = authority("Example CA", dt.datetime(2126, 1, 1, tzinfo=dt.UTC))


def profile(**fields: Any) -> Json:
    return {"profiles": {"default": fields}}


def variables(raw: Json, name: str = "dind") -> dict[str, str]:
    """The variables of a container, as the kubelet sets them."""
    found = {}
    for variable in named(raw, name).get("env", []):
        value = variable["value"].replace("$$", "\0")
        assert "$(" not in value
        found[variable["name"]] = value.replace("\0", "$")
    return found


def files(raw: Json) -> dict[str, str]:
    """Files of the daemon: first line of the variable to the other lines."""
    texts = [text for name, text in variables(raw).items() if name.startswith("DIND_FILE_")]
    return dict(text.split("\n", 1) for text in texts)


def hosts(registry: Json, name: str = "registry.example") -> Json:
    ((_, text),) = (
        (path, text)
        for path, text in files(injected(pod(), profile(registries={name: registry}))).items()
        if path.split(" ", maxsplit=1)[0].endswith("/hosts.toml")
    )
    return tomllib.loads(text)


TIMEOUT = {"dial_timeout": "10s"}
MIRROR = {"capabilities": ["pull", "resolve", "referrers"], **TIMEOUT}


def test_mirrors_are_asked_in_their_order_and_the_registry_last() -> None:
    mirrors = [
        {"url": "https://b.example/artifactory/docker", "overridePath": True},
        {"url": "http://a.example:5000"},
    ]
    read = hosts({"mirrors": mirrors})
    assert read == {
        **TIMEOUT,
        "host": {
            "https://b.example/artifactory/docker": {
                **MIRROR,
                "override_path": True,
            },
            "http://a.example:5000": MIRROR,
        },
    }
    assert list(read["host"]) == ["https://b.example/artifactory/docker", "http://a.example:5000"]


def test_a_ca_is_for_the_registry_and_its_mirrors_with_tls() -> None:
    mirrors = [{"url": "https://a.example"}, {"url": "http://b.example"}]
    registries = {"registry.example:5000": {"ca": CA, "mirrors": mirrors}}
    written = files(injected(pod(), profile(registries=registries)))
    directory = "/etc/docker/certs.d/registry.example:5000"
    assert written[f"{directory}/ca.crt"] == CA
    assert tomllib.loads(written[f"{directory}/hosts.toml"]) == {
        "ca": "ca.crt",
        **TIMEOUT,
        "host": {
            "https://a.example": {**MIRROR, "ca": "ca.crt"},
            "http://b.example": MIRROR,
        },
    }


def test_an_insecure_registry_is_insecure_for_pulls_and_for_docker_login() -> None:
    """Its mirrors are not."""
    registry = {"insecure": True, "mirrors": [{"url": "https://a.example"}]}
    after = injected(pod(), profile(registries={"r.example:5000": registry}))
    assert "--insecure-registry=r.example:5000" in named(after, "dind")["args"]
    assert tomllib.loads(files(after)["/etc/docker/certs.d/r.example:5000/hosts.toml"]) == {
        "server": "http://r.example:5000",
        "skip_verify": True,
        **TIMEOUT,
        "host": {"https://a.example": MIRROR},
    }


def test_an_entry_for_all_registries_is_the_default_of_dockerd() -> None:
    registries = {"*": {"mirrors": [{"url": "https://a.example"}]}, "b.example": {}}
    written = files(injected(pod(), profile(registries=registries)))
    assert list(written) == [
        "/etc/docker/certs.d/_default/hosts.toml",
        "/etc/docker/certs.d/b.example/hosts.toml",
    ]
    assert written["/etc/docker/certs.d/b.example/hosts.toml"] == ""


SECRET_DIRECTORY = "/var/dind/registry-auth/robot"
HEADER = {"Authorization": "Basic @AUTH@"}


def test_credentials_are_for_the_mirrors_and_not_for_the_registry() -> None:
    """A Secret for a mirror of Docker Hub must not be sent to Docker Hub."""
    mirrors = [{"url": "https://a.example"}, {"url": "https://b.example"}]
    assert hosts({"mirrors": mirrors, "authSecret": "robot"}) == {
        **TIMEOUT,
        "host": {
            "https://a.example": {**MIRROR, "header": HEADER},
            "https://b.example": {**MIRROR, "header": HEADER},
        },
    }
    assert hosts({"authSecret": "robot", "ca": CA}) == {"ca": "ca.crt", "header": HEADER}


def test_only_the_sidecar_mounts_the_secret_of_a_registry() -> None:
    registries = {
        "a.example": {"authSecret": "robot"},
        "b.example": {"authSecret": "robot"},
        "c.example": {"authSecret": "other"},
    }
    after = injected(pod(), profile(registries=registries))
    assert mounts(after, "dind").items() >= {
        (SECRET_DIRECTORY, "dind-registry-auth ro"),
        ("/var/dind/registry-auth/other", "dind-registry-auth-1 ro"),
    }
    assert mounts(after, "main") == {"/var/run": "cache-dir"}
    assert [v for v in after["spec"]["volumes"] if "secret" in v] == [
        {"name": "dind-registry-auth", "secret": {"secretName": "robot", "defaultMode": 256}},
        {"name": "dind-registry-auth-1", "secret": {"secretName": "other", "defaultMode": 256}},
    ]
    assert (
        next(iter(files(after))) == f"/etc/docker/certs.d/a.example/hosts.toml {SECRET_DIRECTORY}"
    )


def test_the_daemon_trusts_the_ca_certificates_of_its_profile() -> None:
    after = injected(pod(), profile(caCertificates=CA))
    assert files(after) == {"/etc/ssl/certs/dind-webhook-ca.pem": CA}
    assert variables(after, "main").keys() == {"DOCKER_HOST"}


@pytest.mark.parametrize(
    ("raw", "directory"),
    [
        (container(), "/var/run"),
        (container(env=[]), "/var/run"),
        (container(env=[{"name": "A", "value": "b"}]), "/var/run"),
        (container(volumeMounts=[mount("own", "/var/run")]), "/run/dind"),
    ],
    ids=["no variables", "an empty list", "other variables", "the socket is elsewhere"],
)
def test_containers_get_the_ca_certificates_where_the_profile_asks_for_it(
    raw: Json, directory: str
) -> None:
    job = {"file": True, "environment": ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"]}
    config = profile(caCertificates=CA, jobCertificates=job)
    after = injected(pod(raw, volumes=[{"name": "own", "emptyDir": {}}]), config)
    assert files(after)["/var/run/ca.crt"] == CA
    assert variables(after, "main").items() >= {
        ("SSL_CERT_FILE", f"{directory}/ca.crt"),
        ("NODE_EXTRA_CA_CERTS", f"{directory}/ca.crt"),
    }
    assert injected(after, config) == after


def test_variables_of_a_container_are_kept() -> None:
    own = {"name": "SSL_CERT_FILE", "value": "/own.pem"}
    job = {"file": True, "environment": ["SSL_CERT_FILE"]}
    after = injected(pod(container(env=[own])), profile(caCertificates=CA, jobCertificates=job))
    assert variables(after, "main")["SSL_CERT_FILE"] == "/own.pem"


def test_a_proxy_is_for_the_daemon_and_not_for_the_cluster() -> None:
    proxy = {"https": "http://proxy.example:3128", "client": False}
    after = injected(pod(), profile(daemon={"proxy": proxy}))
    assert variables(after) == {
        "HTTPS_PROXY": "http://proxy.example:3128",
        "NO_PROXY": (
            "localhost,127.0.0.0/8,::1,.svc,.cluster.local,10.0.0.0/8,172.16.0.0/12,"
            "192.168.0.0/16,100.64.0.0/10,fc00::/7"
        ),
    }
    assert variables(after, "main").keys() == {"DOCKER_HOST"}
    only_own = {"http": "http://proxy.example:3128", "noProxy": [".example"], "client": False}
    assert variables(injected(pod(), profile(daemon={"proxy": only_own}))) == {
        "HTTP_PROXY": "http://proxy.example:3128",
        "NO_PROXY": ".example",
    }


def test_no_proxy_alone_changes_nothing() -> None:
    assert injected(pod(), profile(daemon={"proxy": {"noProxy": ["a"]}})) == injected(pod())


def test_variables_mean_what_the_file_says() -> None:
    """Kubernetes would replace $(NAME)."""
    env = {"A": "$(DOCKER_HOST) $$ $x", "B": ""}
    after = injected(pod(), profile(daemon={"env": env}))
    assert variables(after) == env
    assert named(after, "dind")["env"][0]["value"] == "$$(DOCKER_HOST) $$$$ $$x"


def test_daemon_json_is_that_of_the_profile() -> None:
    config = {"max-concurrent-downloads": 3, "log-opts": {"max-size": "1m"}, "debug": False}
    after = injected(pod(), profile(daemon={"config": config}))
    assert json.loads(files(after)["/etc/docker/daemon.json"]) == config


EVERYTHING = profile(
    registries={
        "docker.io": {"mirrors": [{"url": "https://a.example"}], "authSecret": "robot"},
        "b.example": {"ca": CA, "authSecret": "other"},
    },
    caCertificates=CA,
    jobCertificates={"file": True, "environment": ["SSL_CERT_FILE"]},
    daemon={"proxy": {"http": "http://p.example"}, "env": {"A": "b"}, "config": {"debug": True}},
)


@pytest.mark.parametrize("lost", [["env"], ["volumeMounts"], ["env", "volumeMounts", "args"]])
def test_dropped_settings_of_the_sidecar_are_restored(lost: list[str]) -> None:
    once = injected(pod(), EVERYTHING)
    broken = copy.deepcopy(once)
    for field in lost:
        del named(broken, "dind")[field]
    assert injected(broken, EVERYTHING) == once


def test_a_lost_variable_is_restored_beside_those_of_others() -> None:
    broken = injected(pod(), EVERYTHING)
    own = {"name": "HTTP_PROXY", "value": "http://other.example"}
    named(broken, "dind")["env"] = [own]
    after = injected(broken, EVERYTHING)
    assert named(after, "dind")["env"][0] == own
    assert variables(after).keys() == variables(injected(pod(), EVERYTHING)).keys()


def test_files_of_two_configurations_do_not_mix() -> None:
    """While a new configuration propagates, another replica may answer the second call."""
    once = injected(pod(), profile(registries={"a.example": {"ca": CA}}))
    after = injected(once, EVERYTHING)
    assert files(after) == files(once)
    assert variables(after)["HTTP_PROXY"] == "http://p.example"


def test_a_second_run_changes_nothing() -> None:
    decision = decided(injected(pod(), EVERYTHING), EVERYTHING)
    assert isinstance(decision, Injected)
    assert operations(decision) == []


def test_names_of_volumes_in_use_lead_to_others() -> None:
    raw = pod(volumes=[{"name": "dind-registry-auth", "emptyDir": {}}])
    after = injected(raw, profile(registries={"a.example": {"authSecret": "robot"}}))
    assert volumes(after)[-1] == "dind-registry-auth-1"


def test_a_pod_that_takes_the_node_s_daemon_gets_none_of_it() -> None:
    """The settings are those of the sidecar."""
    raw = pod(annotations={"mode": "node"})
    after = injected(raw, {**EVERYTHING, **LENIENT})
    assert after["spec"] == injected(pod(), NODE)["spec"]
