"""Registries, CAs and the daemon's environment: for any setting and any pod."""

import datetime as dt
import json
import tomllib
from typing import Any
from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st
from property.generated import Json, configs, object_of, pods
from property.strict import apply
from property.test_injection import REPLACEABLE, decided, injected
from unit.config.authorities import authority
from unit.injection.pods import named, operations
from unit.injection.rules import breaches

from webhook.config import ConfigError, Profile, parse_config
from webhook.config.certificates import LARGEST_FILE
from webhook.injection import Injected
from webhook.injection.daemon_files import environment, hosts_toml

CA = authority("Example CA", dt.datetime(2126, 1, 1, tzinfo=dt.UTC))
LONGEST_HOST = ".".join(["a" * 63] * 4)[:253]
LONGEST_VARIABLE = 128 * 1024  # bytes with its name and a NUL; the kernel's MAX_ARG_STRLEN

MIRRORS = st.lists(
    st.fixed_dictionaries(
        {"url": st.sampled_from(["https://a.example", "https://b.example:5000/v2/x"])},
        optional={"overridePath": st.booleans()},
    ),
    unique_by=lambda mirror: mirror["url"],
)
REGISTRIES = st.dictionaries(
    st.sampled_from(["docker.io", "registry.example:5000", "other.example"]),
    object_of(
        {
            "mirrors": MIRRORS,
            "ca": st.just(CA),
            "authSecret": st.sampled_from(["robot", "other"]),
        }
    ),
)
SETTINGS = object_of(
    {
        "registries": REGISTRIES,
        "daemon": object_of(
            {
                "proxy": st.just({"http": "http://proxy.example:3128"}),
                "env": st.dictionaries(st.sampled_from("AB"), st.sampled_from(["", "$(A)$$x"])),
                "config": st.sampled_from([{}, {"debug": True}]),
            }
        ),
    }
)
FOR_JOBS: list[Json] = [
    {},
    {"caCertificates": CA},
    {"caCertificates": CA, "jobCertificates": {"file": True, "environment": ["CI", "NEW"]}},
]


@st.composite
def settings(draw: st.DrawFn) -> Json:
    """A configuration file whose profiles have the same settings for registries."""
    config: Json = draw(configs(hostile=False))
    added = {**draw(SETTINGS), **draw(st.sampled_from(FOR_JOBS))}
    profiles = {name: {**profile, **added} for name, profile in config["profiles"].items()}
    return {**config, "profiles": profiles}


@given(raw=pods(hostile=False), config=settings())
def test_patches_are_valid_and_a_second_run_changes_nothing(raw: Json, config: Json) -> None:
    decision = decided(raw, config)
    assert isinstance(decision, Injected)
    once = apply(raw, operations(decision), REPLACEABLE)
    assert breaches(once) == []
    again = decided(once, config)
    assert isinstance(again, Injected)
    assert operations(again) == []


@given(raw=pods(hostile=False), config=settings())
def test_lost_settings_of_the_sidecar_are_restored(raw: Json, config: Json) -> None:
    once = injected(raw, config)
    broken = json.loads(json.dumps(once))
    for container in [*(broken["spec"].get("initContainers") or ()), *broken["spec"]["containers"]]:
        if container["name"] == "dind":
            container.pop("env", None)
    assert injected(broken, config) == once


@given(raw=pods(hostile=False), config=settings())
def test_no_container_but_the_sidecar_sees_a_secret_of_a_registry(raw: Json, config: Json) -> None:
    after = injected(raw, config)
    own = {v["name"] for v in after["spec"]["volumes"]} - {
        v["name"] for v in raw["spec"].get("volumes") or ()
    }
    containers = [*(after["spec"].get("initContainers") or ()), *after["spec"]["containers"]]
    of_registries = [
        volume["name"]
        for volume in after["spec"]["volumes"]
        if volume.get("secret", {}).get("secretName") in ("robot", "other")
    ]
    secrets = own.intersection(of_registries)
    for container in containers:
        mounted = {mount["name"] for mount in container.get("volumeMounts") or ()}
        assert container["name"] in ("dind", "dind-wait") or not mounted & secrets


@given(raw=pods(hostile=False), config=settings())
def test_containers_keep_their_variables(raw: Json, config: Json) -> None:
    after = injected(raw, config)
    replaced = {"DOCKER_HOST", "DOCKER_CONFIG"}  # if they are empty
    for container in raw["spec"]["containers"]:
        before = container.get("env") or []
        kept = named(after, container["name"]).get("env") or []
        names = {variable["name"] for variable in before} - replaced
        assert [v for v in before if v["name"] in names] == [v for v in kept if v["name"] in names]


def parsed(profile: Json) -> Profile | None:
    """The profile of a file, None if the file is not valid."""
    try:
        config = parse_config(json.dumps({"profiles": {"a": profile}}).encode(), "f")
    except ConfigError:
        return None
    return config.profiles["a"]


URLS = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="ab.:/@?#[]\"'\\%$\n 0", max_size=20).map("https://".__add__),
)


@given(url=URLS, override_path=st.booleans())
def test_a_mirror_is_rejected_or_means_the_same_to_dockerd(url: str, override_path: bool) -> None:
    mirror: Json = {"url": url, "overridePath": override_path}
    profile = parsed({"registries": {"a": {"mirrors": [mirror], "authSecret": "s"}}})
    if profile is None:
        return
    parts = urlsplit(url)
    assert parts.scheme == "https"
    assert parts.hostname
    assert (parts.username, parts.query, parts.fragment) == (None, "", "")
    read = tomllib.loads(hosts_toml("a", profile.registries["a"]))
    assert list(read["host"]) == [url]
    assert read["host"][url].get("override_path", False) == override_path


@given(name=st.text(alphabet="aA0.:/*-_[]\n ", max_size=12))
def test_a_registry_is_rejected_or_is_one_directory(name: str) -> None:
    profile = parsed({"registries": {name: {}}})
    if profile is not None:
        (variable,) = environment(profile, "/var/run")
        path = variable["value"].split("\n", 1)[0]
        assert path.removeprefix("/etc/docker/certs.d/").count("/") == 1
        assert ".." not in path.split("/")


def as_the_kubelet_does(value: str) -> str:
    """A variable's value where no reference of it is known. Source: third_party/forked/golang."""
    made, rest = "", value
    while rest:
        if rest.startswith("$$"):
            made, rest = made + "$", rest[2:]
        else:
            assert not rest.startswith("$(")
            made, rest = made + rest[0], rest[1:]
    return made


@given(value=st.text(alphabet="$(){}A \\'\"\x00\n\x7f", max_size=12))
def test_a_variable_is_rejected_or_arrives_as_it_is(value: str) -> None:
    profile = parsed({"daemon": {"env": {"A": value}}})
    if profile is not None:
        ((_, text),) = (each.values() for each in environment(profile, "/var/run"))
        assert as_the_kubelet_does(text) == value


@given(size=st.integers(0, 3 * LARGEST_FILE), tail=st.sampled_from([CA, "", "x", CA + "\0"]))
def test_certificates_are_rejected_or_fit_into_a_variable(size: int, tail: str) -> None:
    pem: Any = "#" * size + "\n" + tail
    profile = parsed({"registries": {LONGEST_HOST: {"ca": pem}}, "caCertificates": pem})
    if profile is not None:
        assert tail == CA
        for variable in environment(profile, "/" + "r" * 94):
            length = len(f"{variable['name']}={variable['value']}".encode()) + 1
            assert length < LONGEST_VARIABLE


def test_the_largest_file_of_mirrors_fits_into_a_variable() -> None:
    mirrors = [
        {"url": f"https://{number:02}/".ljust(2048, "x"), "overridePath": True}
        for number in range(16)
    ]
    registry = {"mirrors": mirrors, "ca": CA, "authSecret": "s" * 253}
    profile = parsed({"registries": {LONGEST_HOST: registry}})
    assert profile is not None
    assert len(hosts_toml(LONGEST_HOST, profile.registries[LONGEST_HOST])) < LARGEST_FILE


def test_the_files_of_a_profile_fit_into_a_pod() -> None:
    """A mirror is much longer in hosts.toml than in the configuration file."""
    mirrors = [{"url": f"http://{number:02}"} for number in range(16)]
    registries: Json = {f"{number}.example": {"mirrors": mirrors} for number in range(98)}
    cas = CA * (95_000 // len(CA))
    registries |= {"a.example": {"ca": cas}, "b.example": {"ca": cas}}
    profile = parsed({"registries": registries})
    assert profile is not None
    assert sum(len(str(variable)) for variable in environment(profile, "/var/run")) < 1024**2
