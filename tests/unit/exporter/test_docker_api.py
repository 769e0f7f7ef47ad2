"""What the exporter reads from the Docker Engine API."""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlsplit

import pytest
from unit.exporter.daemons import Api, api

from webhook.exporter import docker_api
from webhook.exporter.docker_api import DiskUse, DockerError, disk_use, pulls

DF, EVENTS = "/v1.44/system/df", "/v1.44/events"


@pytest.fixture
def path() -> Iterator[Path]:
    with TemporaryDirectory() as directory:
        yield Path(directory) / "docker.sock"


@pytest.fixture
def daemon(path: Path) -> Iterator[Api]:
    with api(path) as server:
        yield server


def test_the_disk_use_counts_each_layer_once(daemon: Api, path: Path) -> None:
    """Records of the build cache that are layers of images are counted there already."""
    daemon.answers[DF] = json.dumps(
        {
            "LayersSize": 6011560,
            "Images": [{"Size": 6010705}, {"Size": 6010705}],
            "Containers": [{"SizeRw": 4096, "SizeRootFs": 6000000}, {}],
            "Volumes": [{"UsageData": {"Size": 100}}, {"UsageData": {"Size": -1}}, {}],
            "BuildCache": [
                {"Size": 6003477, "Shared": True},
                {"Size": 4096, "Shared": False},
                {"Size": 4},
            ],
        }
    ).encode()
    assert disk_use(str(path)) == DiskUse(6011560, 4096, 100, 4100)


@pytest.mark.parametrize("body", ["{}", '{"Images": null, "Containers": null, "Volumes": null}'])
def test_an_empty_daemon_uses_no_disk(daemon: Api, path: Path, body: str) -> None:
    daemon.answers[DF] = body.encode()
    assert disk_use(str(path)) == DiskUse(0, 0, 0, 0)


def test_pulls_are_counted_since_a_time_and_only_once(daemon: Api, path: Path) -> None:
    """The daemon sends what happened at the time itself again."""
    events = [{"Action": "pull", "timeNano": number} for number in (17 * 10**17 + 5, 2 * 10**18)]
    daemon.answers[EVENTS] = b"".join(json.dumps(event).encode() + b"\n" for event in events)
    found: list[int] = []
    with pytest.raises(DockerError, match="closed the connection"):
        read_into(found, str(path), 17 * 10**17 + 5)
    assert found == [2 * 10**18]
    (asked,) = daemon.paths
    query = parse_qs(urlsplit(asked).query)
    assert query["since"] == ["1700000000.000000005"]
    assert json.loads(query["filters"][0]) == {"type": ["image"], "event": ["pull"]}


def read_into(found: list[int], path: str, since: int) -> None:
    for each in pulls(path, since):
        found.append(each)  # noqa: PERF402 - an exception ends it


@pytest.mark.parametrize("body", [b"", b"nothing", b"[]", b'{"LayersSize": "many"}', b'{"Layers'])
def test_other_answers_than_those_of_docker_are_errors(
    daemon: Api, path: Path, body: bytes
) -> None:
    daemon.answers[DF] = body
    with pytest.raises(DockerError):
        disk_use(str(path))


def test_a_pull_of_an_image_with_many_labels_is_counted(daemon: Api, path: Path) -> None:
    """The event contains all labels. Images of buildpacks have more than 100 KB of them."""
    event = {"Actor": {"Attributes": {"labels": '"' * 500_000}}, "timeNano": 5}
    daemon.answers[EVENTS] = json.dumps(event).encode() + b"\n"
    assert next(pulls(str(path), 0)) == 5


def test_an_endless_event_is_an_error(
    monkeypatch: pytest.MonkeyPatch, daemon: Api, path: Path
) -> None:
    monkeypatch.setattr(docker_api, "_LONGEST_EVENT", 100_000)
    daemon.answers[EVENTS] = b'{"timeNano": 5, "a": "' + b"a" * 200_000
    with pytest.raises(DockerError):
        next(pulls(str(path), 0))


def test_an_error_of_the_daemon_is_named(daemon: Api, path: Path) -> None:
    del daemon  # it answers nothing
    with pytest.raises(DockerError, match="HTTP status 404"):
        disk_use(str(path))
    with pytest.raises(DockerError, match="HTTP status 404"):
        next(pulls(str(path), 0))


def test_a_missing_socket_is_named(path: Path) -> None:
    with pytest.raises(DockerError, match="No such file or directory"):
        disk_use(str(path))
    with pytest.raises(DockerError, match="No such file or directory"):
        next(pulls(str(path), 0))
