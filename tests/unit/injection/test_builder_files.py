"""The configuration file of BuildKit, for builders that jobs create."""

import datetime as dt
import tomllib
from typing import Any

import pytest
from unit.config.authorities import authority
from unit.injection.pods import injected, named, pod

CA = authority("Example CA", dt.datetime(2126, 1, 1, tzinfo=dt.UTC))
CA_FILE = "/var/run/buildkit/ca-0.crt"


def files(registries: dict[str, Any], **fields: Any) -> dict[str, str]:
    """The files of the sidecar in the socket's directory."""
    config = {"profiles": {"default": {"registries": registries, **fields}}}
    texts = [variable["value"] for variable in named(injected(pod(), config), "dind")["env"]]
    written = dict(text.split("\n", 1) for text in texts)
    return {path: text for path, text in written.items() if not path.startswith("/etc/")}


def registry(registries: dict[str, Any]) -> dict[str, Any]:
    text = files(registries).get("/var/run/buildkitd.toml")
    return {} if text is None else tomllib.loads(text)["registry"]


@pytest.mark.parametrize(
    ("url", "override_path", "name"),
    [
        ("https://mirror.example", False, "mirror.example"),
        ("https://mirror.example:5000/", False, "mirror.example:5000"),
        ("https://mirror.example/v2", False, "mirror.example"),
        ("https://harbor.example/v2/hub/", True, "harbor.example/hub"),
        ("https://harbor.example/v2", True, "harbor.example"),
    ],
)
def test_mirrors_are_written_as_host_and_path_below_v2(
    url: str, override_path: bool, name: str
) -> None:
    mirror = {"url": url, "overridePath": override_path}
    assert registry({"docker.io": {"mirrors": [mirror]}}) == {"docker.io": {"mirrors": [name]}}


@pytest.mark.parametrize(
    ("host", "settings"),
    [
        ("docker.io", {"mirrors": [{"url": "https://a.example/artifactory/api/docker/hub"}]}),
        ("docker.io", {"mirrors": [{"url": "https://a.example/other", "overridePath": True}]}),
        ("docker.io", {"mirrors": [{"url": "https://a.example/v2x", "overridePath": True}]}),
        ("docker.io", {"mirrors": [{"url": "https://a.example"}], "authSecret": "mirror"}),
        ("*", {"mirrors": [{"url": "https://a.example"}]}),
        ("registry.example", {}),
    ],
    ids=["other path", "overridden path", "no v2", "credentials", "every registry", "empty"],
)
def test_what_buildkit_cannot_express_is_left_out(host: str, settings: dict[str, Any]) -> None:
    assert files({host: settings}) == {}


def test_mirrors_and_registries_without_tls_are_marked() -> None:
    registries = {
        "docker.io": {"mirrors": [{"url": "http://plain.example:5000"}]},
        "own.example": {"insecure": True},
    }
    assert registry(registries) == {
        "docker.io": {"mirrors": ["plain.example:5000"]},
        "plain.example:5000": {"http": True},
        "own.example": {"http": True, "insecure": True},
    }


def test_the_ca_of_a_registry_is_also_that_of_its_mirrors() -> None:
    mirrors = [{"url": "https://mirror.example"}, {"url": "http://plain.example"}]
    registries = {"own.example:5000": {"mirrors": mirrors, "ca": CA}}
    assert files(registries)[CA_FILE] == CA
    assert registry(registries) == {
        "own.example:5000": {"mirrors": ["mirror.example", "plain.example"], "ca": [CA_FILE]},
        "mirror.example": {"ca": [CA_FILE]},
        "plain.example": {"http": True},
    }


def test_files_are_in_the_directory_of_the_socket() -> None:
    written = files({"own.example": {"ca": CA}}, socket={"directory": "/srv/dind"})
    assert list(written) == ["/srv/dind/buildkitd.toml", "/srv/dind/buildkit/ca-0.crt"]
    assert '"/srv/dind/buildkit/ca-0.crt"' in written["/srv/dind/buildkitd.toml"]


def test_a_file_beyond_the_kernels_bound_is_left_out() -> None:
    urls = [f"https://{number}.{'m' * 200}.example" for number in range(16)]
    mirrors = [{"url": url} for url in urls]
    registries = {f"{number}.example": {"mirrors": mirrors} for number in range(40)}
    assert files(registries) == {}
