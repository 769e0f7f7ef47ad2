"""A configuration file that changes while the service runs."""

import datetime as dt
import json
from collections.abc import Callable

import pytest
from service.mounting import MountedDirectory
from service.reviews import patch_of, review
from service.running import CertificateDirectory, RunningService
from service.traffic import traffic
from unit.config.authorities import authority

RELOADS = "dind_webhook_configuration_reloads_total"
NOT_RELOADED = "configuration not reloaded, the last valid one stays"


def with_image(tag: int) -> dict[str, bytes]:
    """A configuration file; the image in an answer shows whether it is in force."""
    return {"config.yaml": f"profiles: {{default: {{image: 'docker:{tag}'}}}}\n".encode()}


def image(service: RunningService) -> str:
    """The image that a pod gets now."""
    patch = patch_of(service.ask(review()))
    (daemon,) = next(o["value"] for o in patch if o["path"] == "/spec/initContainers")
    return str(daemon["image"])


def test_new_files_take_effect_without_failed_requests(
    own_service: RunningService, mounted_config: MountedDirectory
) -> None:
    assert image(own_service) == "docker:29-dind"
    with traffic(own_service) as running:
        for count in range(1, 6):
            mounted_config.show(with_image(count))
            own_service.await_event("configuration reloaded", count)
            assert image(own_service) == f"docker:{count}"
            running.go_on(5)
    assert running.failures == []
    assert own_service.metric(RELOADS, result="success") == 5


def test_an_expired_ca_is_logged_and_takes_effect(
    own_service: RunningService, mounted_config: MountedDirectory
) -> None:
    ca = authority("Old CA", dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    mounted_config.show(
        {"config.yaml": json.dumps({"profiles": {"a": {"caCertificates": ca}}}).encode()}
    )
    own_service.await_event("configuration reloaded")
    (line,) = own_service.await_event("expired CA certificate in the configuration")
    assert line["message"] == (
        'profiles.a.caCertificates: the certificate "CN=Old CA" expired on 2020-01-01'
    )


def unknown_key(directory: MountedDirectory) -> None:
    directory.show({"config.yaml": b"policy: {annotation: []}\n"})


def bad_yaml(directory: MountedDirectory) -> None:
    directory.show({"config.yaml": b"policy: [\n"})


def not_text(directory: MountedDirectory) -> None:
    directory.show({"config.yaml": b"\xff\xfe\x00"})


def missing(directory: MountedDirectory) -> None:
    directory.show({})


def unreadable(directory: MountedDirectory) -> None:
    (directory.path / "..directory" / "config.yaml").mkdir(parents=True)
    directory.turn_to("..directory")


@pytest.mark.parametrize(
    ("put", "cause"),
    [
        (unknown_key, "annotation"),
        (bad_yaml, "line"),
        (not_text, "UTF-8"),
        (missing, "No such file or directory"),
        (unreadable, "Is a directory"),
    ],
)
def test_broken_files_change_nothing_and_are_logged_once(
    own_service: RunningService,
    mounted_config: MountedDirectory,
    certificates: CertificateDirectory,
    put: Callable[[MountedDirectory], None],
    cause: str,
) -> None:
    put(mounted_config)
    (line,) = own_service.await_event(NOT_RELOADED)
    assert "config.yaml" in line["message"]
    assert cause in line["message"]
    for count in (1, 2):  # the second reload comes after both files were read once more
        certificates.put(*certificates.issue())
        own_service.await_event("certificate reloaded", count)
    assert len(own_service.events(NOT_RELOADED)) == 1
    assert own_service.metric(RELOADS, result="failure") == 1
    assert image(own_service) == "docker:29-dind"


def test_valid_files_after_broken_ones_take_effect(
    own_service: RunningService, mounted_config: MountedDirectory
) -> None:
    unknown_key(mounted_config)
    own_service.await_event(NOT_RELOADED)
    mounted_config.show(with_image(7))
    own_service.await_event("configuration reloaded")
    assert image(own_service) == "docker:7"
    assert own_service.metric(RELOADS, result="failure") == 1
    assert own_service.metric(RELOADS, result="success") == 1


def test_equal_content_in_new_files_is_no_change(
    own_service: RunningService,
    mounted_config: MountedDirectory,
    certificates: CertificateDirectory,
) -> None:
    mounted_config.show({"config.yaml": b"{}\n"})
    for count in (1, 2):
        certificates.put(*certificates.issue())
        own_service.await_event("certificate reloaded", count)
    assert own_service.metric(RELOADS) == 0
