"""A pod's author against a hardened installation: real API server, its certificate, a policy."""

import json
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import trustme
from kube.controlplane import ControlPlane
from kube.registration import registered, webhook_configuration
from kube.waiting import until
from security.clients import NAME
from service.running import CertificateDirectory, RunningService, running_service

pytestmark = pytest.mark.apiserver

PAGE = Path(__file__).parents[2] / "docs/administrators/security.md"
OPERATORS_FILE = """\
profiles:
  default: {image: "docker:29-dind"}
  large: {image: "docker:29-dind", resources: {limits: {memory: 32Gi}}}
  node: {mode: node}
policy:
  annotations: [containers, cpu, image, memory, profile, storage]
  images: ["docker:29-dind", "registry.example.com/ci/*"]
  maximum: {cpu: 2, memory: 4Gi, storage: 30Gi}
  profiles: {"trusted-*": [default, large, node]}
"""


@pytest.fixture(scope="module")
def hardened(
    identified: ControlPlane, client_ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """A service with a policy that answers one API server."""
    directory = tmp_path_factory.mktemp("hardened")
    client_ca.cert_pem.write_to_path(directory / "ca.crt")
    (directory / "config.yaml").write_text(OPERATORS_FILE)
    certificates = CertificateDirectory(directory / "tls")
    flags = ("--client-ca", directory / "ca.crt", "--client-name", NAME)
    with running_service(
        directory, certificates, "--config", directory / "config.yaml", *flags
    ) as service:
        configuration = webhook_configuration(service.port, certificates.ca.pem)
        with registered(identified, configuration):
            yield service


def namespace(control_plane: ControlPlane, labels: Mapping[str, str] | None = None) -> str:
    """A new namespace."""
    name = f"team-{uuid4().hex[:8]}"
    control_plane.create_namespace(name, labels)
    return name


def pod(annotations: dict[str, str], **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"generateName": "job-", "annotations": annotations},
        "spec": {"containers": [{"name": "app", "image": "docker:29"}], **spec},
    }


def stored(control_plane: ControlPlane, name: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = control_plane.client.get(
        f"/api/v1/namespaces/{name}/pods"
    ).json()["items"]
    return items


def daemons(answer: httpx.Response) -> list[str]:
    """The images of a stored pod's init containers."""
    assert answer.is_success, answer.text
    return [each["image"] for each in answer.json()["spec"].get("initContainers") or ()]


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"image": "evil.example.com/dind:29"}, "is not allowed by the administrator's policy"),
        ({"image": "docker:29-dind-mine"}, "is not allowed by the administrator's policy"),
        (
            {"image": "registry.example.com/ci/a/b:1"},
            "is not allowed by the administrator's policy",
        ),
        (
            {"image": "registry.example.com.evil/ci/a:1"},
            "is not allowed by the administrator's policy",
        ),
        ({"image": "docker:29-dind --privileged"}, "is not an image reference"),
        ({"memory": "4097Mi"}, "exceeds the maximum of the administrator's policy (4Gi)"),
        ({"memory": "5e9"}, "exceeds the maximum of the administrator's policy (4Gi)"),
        ({"memory": "-1"}, "is not a Kubernetes quantity"),
        ({"cpu": "2001m"}, "exceeds the maximum of the administrator's policy (2)"),
        ({"storage": "1Ti"}, "exceeds the maximum of the administrator's policy (30Gi)"),
        ({"profile": "large"}, 'profile "large" is not allowed in namespace'),
        ({"profile": "node"}, 'profile "node" is not allowed in namespace'),
        ({"mode": "node"}, "annotation dind.io/mode: not allowed by the administrator's policy"),
        ({"hostPath": "/"}, 'unknown annotation "dind.io/hostPath" (accepted: '),
        ({"extraArgs": "--host=tcp://0.0.0.0:2375"}, 'unknown annotation "dind.io/extraArgs"'),
        ({"privileged": "true"}, 'unknown annotation "dind.io/privileged" (accepted: '),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_pods_with_annotations_beyond_the_policy_are_denied_and_not_stored(
    identified: ControlPlane, hardened: RunningService, wish: dict[str, str], sentence: str
) -> None:
    name = namespace(identified)
    asked = {f"dind.io/{key}": value for key, value in wish.items()}
    answer = identified.create_pod(name, pod({"dind.io/inject": "true", **asked}))
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert sentence in answer.json()["message"]
    assert stored(identified, name) == []
    assert hardened.events("denied")[-1]["namespace"] == name


def test_an_allowed_annotation_does_not_admit_a_forbidden_one(
    identified: ControlPlane, hardened: RunningService
) -> None:
    asked = {"dind.io/memory": "4Gi", "dind.io/image": "evil.example.com/dind"}
    answer = identified.create_pod(namespace(identified), pod({"dind.io/inject": "true", **asked}))
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "dind.io/image" in answer.json()["message"]
    assert "dind.io/memory" not in answer.json()["message"]
    assert hardened.events("denied")


@pytest.mark.usefixtures("hardened")
def test_a_status_that_an_author_wrote_is_overwritten(identified: ControlPlane) -> None:
    spoofed = json.dumps({"version": "9", "image": "docker:29-dind", "containers": []})
    answer = identified.create_pod(
        namespace(identified), pod({"dind.io/inject": "true", "dind.io/status": spoofed})
    )
    assert daemons(answer) == ["docker:29-dind"]
    status = json.loads(answer.json()["metadata"]["annotations"]["dind.io/status"])
    assert status["containers"] == ["app"]
    assert status["version"] != "9"


def test_a_pod_with_the_status_alone_is_not_injected(
    identified: ControlPlane, hardened: RunningService
) -> None:
    """It is no opt-in: nobody is asked, and the annotation is the author's own text."""
    before = hardened.decisions()
    answer = identified.create_pod(namespace(identified), pod({"dind.io/status": "{}"}))
    assert daemons(answer) == []
    assert hardened.decisions() == before


@pytest.mark.usefixtures("hardened")
@pytest.mark.parametrize("value", ["true", "True", "yes", " true", "true,false"])
def test_opting_in_is_denied_where_the_namespace_forbids_it(
    identified: ControlPlane, value: str
) -> None:
    name = namespace(identified, {"dind.io/inject": "false"})
    answer = identified.create_pod(name, pod({"dind.io/inject": value}))
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert stored(identified, name) == []


def test_an_opt_in_after_the_creation_changes_nothing(
    identified: ControlPlane, hardened: RunningService
) -> None:
    name = namespace(identified, {"dind.io/inject": "false"})
    created = identified.create_pod(name, pod({})).json()
    before = hardened.decisions()
    answer = identified.client.patch(
        f"/api/v1/namespaces/{name}/pods/{created['metadata']['name']}",
        json={"metadata": {"annotations": {"dind.io/inject": "true"}}},
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert daemons(answer) == []
    assert hardened.decisions() == before


@pytest.mark.usefixtures("hardened")
@pytest.mark.parametrize("level", ["baseline", "restricted"])
def test_pod_security_judges_the_pod_with_its_daemon(identified: ControlPlane, level: str) -> None:
    """A namespace that allows no privileged pods gets none by way of the webhook."""
    name = namespace(identified, {"pod-security.kubernetes.io/enforce": level})
    answer = identified.create_pod(name, pod({"dind.io/inject": "true"}))
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert f'violates PodSecurity "{level}:latest"' in answer.json()["message"]
    assert "privileged" in answer.json()["message"]
    assert stored(identified, name) == []


TYPOS = ["dind.io/injekt", "dind.io/Inject", "dind.io/injected", "dind.io/enabled"]


@pytest.mark.usefixtures("hardened")
@pytest.mark.parametrize("typo", TYPOS)
def test_a_mistyped_opt_in_grants_nothing(identified: ControlPlane, typo: str) -> None:
    """It matches no endpoint, so nobody is asked: the pod starts as its author wrote it."""
    assert daemons(identified.create_pod(namespace(identified), pod({typo: "true"}))) == []


@pytest.mark.usefixtures("hardened")
@pytest.mark.parametrize("typo", TYPOS)
@pytest.mark.parametrize("value", ["true", "false"])
def test_pods_with_a_misspelt_annotation_are_denied_if_the_webhook_is_called(
    identified: ControlPlane, typo: str, value: str
) -> None:
    """An opt-out that nobody reads must not become an injection."""
    name = namespace(identified, {"dind.io/inject": "true"})
    answer = identified.create_pod(name, pod({typo: value}))
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert f'unknown annotation "{typo}"' in answer.json()["message"]
    assert stored(identified, name) == []


@pytest.fixture(scope="module")
def spelling(identified: ControlPlane, hardened: RunningService) -> Iterator[None]:
    """The policies of docs/administrators/security.md that catch mistyped names, in force."""
    assert hardened.decisions() >= 0  # it is asked before the policies are, and must answer
    (text,) = re.findall(r"```yaml\n(# Spelling.*?)```", PAGE.read_text(), re.DOTALL)
    identified.kubectl("create", "-f", "-", input=text)
    mistyped = pod({"dind.io/injekt": "true"})
    name = namespace(identified)

    def refused(labels: dict[str, str]) -> bool:
        answer = identified.client.post(
            "/api/v1/namespaces",
            params={"dryRun": "All"},
            json={"metadata": {"name": "spelling", "labels": labels}},
        )
        return answer.is_client_error

    def in_force() -> bool:
        pods = identified.create_pod(name, mistyped, dry_run=True)
        return pods.is_client_error and refused({"dind.io/injekt": "true"})

    try:
        until(in_force, "the policies to be in force")
        yield
    finally:
        identified.kubectl("delete", "-f", "-", input=text)
        until(
            lambda: (
                identified.create_pod(name, mistyped, dry_run=True).is_success
                and not refused({"dind.io/injekt": "true"})
            ),
            "the policies to be gone",
        )


@pytest.mark.usefixtures("spelling")
@pytest.mark.parametrize("typo", TYPOS)
def test_the_spelling_policy_names_a_mistyped_opt_in(identified: ControlPlane, typo: str) -> None:
    answer = identified.create_pod(namespace(identified), pod({typo: "true"}))
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "dind.io/inject" in answer.json()["message"]


@pytest.mark.usefixtures("spelling")
@pytest.mark.parametrize(
    "labels",
    [
        {"dind.io/inject": "False"},
        {"dind.io/inject": "no"},
        {"dind.io/inject": ""},
        {"dind.io/injekt": "false"},
        {"dind.io/Inject": "false"},
    ],
    ids=json.dumps,
)
def test_the_spelling_policy_refuses_a_label_that_forbids_nothing(
    identified: ControlPlane, labels: dict[str, str]
) -> None:
    name = namespace(identified)
    answer = identified.client.patch(
        f"/api/v1/namespaces/{name}",
        json={"metadata": {"labels": labels}},
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert 'dind.io/inject, "true" or "false"' in answer.json()["message"]


@pytest.mark.usefixtures("spelling")
def test_the_spelling_policy_lets_everything_else_pass(identified: ControlPlane) -> None:
    for label, annotations, images in [
        (None, {}, []),
        (None, {"example.com/inject": "yes", "dind.io/status": "{}"}, []),
        (None, {"dind.io/inject": "true", "dind.io/memory": "2Gi"}, ["docker:29-dind"]),
        ("true", {}, ["docker:29-dind"]),
        ("true", {"dind.io/memory": "2Gi"}, ["docker:29-dind"]),
        ("false", {"example.com/a": "b"}, []),
    ]:
        name = namespace(identified, {} if label is None else {"dind.io/inject": label})
        assert daemons(identified.create_pod(name, pod(annotations))) == images
