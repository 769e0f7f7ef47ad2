"""A pod goes in, the API server calls the service, the pod comes out injected."""

import json
from typing import Any
from uuid import uuid4

import pytest
from apiserver.late import late_webhook
from kube.controlplane import ControlPlane
from kube.pods import as_sent_again, names, sees_socket
from service.running import RunningService

pytestmark = pytest.mark.apiserver


def _pod(annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"generateName": "job-", "annotations": annotations or {}},
        "spec": {"containers": [{"name": "app", "image": "docker:29"}], **spec},
    }


def _namespace(control_plane: ControlPlane, label: str | None) -> str:
    name = f"test-{uuid4().hex[:8]}"
    control_plane.create_namespace(name, {} if label is None else {"dind.io/inject": label})
    return name


def test_an_annotated_pod_comes_back_with_its_daemon(
    control_plane: ControlPlane, injector: RunningService, namespace: str
) -> None:
    answer = control_plane.create_pod(namespace, _pod({"dind.io/inject": "true"}))

    assert answer.is_success, answer.text
    stored = answer.json()
    (sidecar,) = stored["spec"]["initContainers"]
    (app,) = stored["spec"]["containers"]
    assert sidecar["name"] == "dind"
    assert sidecar["restartPolicy"] == "Always"
    assert sidecar["securityContext"]["privileged"]
    assert sees_socket(app)
    volumes = {volume["name"]: volume.get("emptyDir") for volume in stored["spec"]["volumes"]}
    (token,) = [name for name in volumes if name.startswith("kube-api-access-")]
    assert volumes == {
        token: None,
        "cache-dir": {},
        "dind-storage": {"sizeLimit": "20Gi"},
        "dind-no-token": {"sizeLimit": "1Mi"},
    }
    assert stored["spec"]["securityContext"] == {"supplementalGroups": [2375]}
    status = json.loads(stored["metadata"]["annotations"]["dind.io/status"])
    assert (status["mode"], status["profile"]) == ("sidecar", "default")
    assert status["containers"] == ["app"]
    assert injector.events("injected")[-1]["namespace"] == namespace


@pytest.mark.usefixtures("injector")
def test_the_service_account_token_stays_out_of_the_daemon(
    control_plane: ControlPlane, namespace: str
) -> None:
    """The API server mounts the token once more after the webhook."""
    stored = control_plane.create_pod(namespace, _pod({"dind.io/inject": "true"})).json()
    (injected,), (app,) = stored["spec"]["initContainers"], stored["spec"]["containers"]
    at_token = {
        container["name"]: [
            mount["name"]
            for mount in container["volumeMounts"]
            if mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
        ]
        for container in (injected, app)
    }
    assert at_token[injected["name"]] == ["dind-no-token"]
    (name,) = at_token["app"]
    assert name.startswith("kube-api-access-")


INJECTED, UNTOUCHED = "injected", "untouched"
FORBIDDEN = 'the namespace forbids Docker (its label dind.io/inject is "false")'
NO_BOOLEAN = 'annotation dind.io/inject: invalid value "yes" (accepted: "true", "false")'


@pytest.mark.parametrize(
    ("annotation", "label", "expected", "reviews"),
    [
        ("true", None, INJECTED, 1),
        ("true", "true", INJECTED, 1),
        ("true", "false", FORBIDDEN, 1),
        ("false", None, UNTOUCHED, 0),
        ("false", "true", UNTOUCHED, 0),
        ("false", "false", UNTOUCHED, 0),
        (None, "true", INJECTED, 1),
        (None, None, UNTOUCHED, 0),
        (None, "false", UNTOUCHED, 0),
        ("yes", None, NO_BOOLEAN, 1),
        ("yes", "true", NO_BOOLEAN, 1),
        ("yes", "false", NO_BOOLEAN, 1),
    ],
    ids=lambda value: str(value)[:24],
)
def test_the_opt_in_table_holds(
    control_plane: ControlPlane,
    injector: RunningService,
    *,
    annotation: str | None,
    label: str | None,
    expected: str,
    reviews: int,
) -> None:
    """Each row of the table, and how often the service was asked: uninvolved pods never wait."""
    namespace = _namespace(control_plane, label)
    before = injector.decisions()

    pod = _pod() if annotation is None else _pod({"dind.io/inject": annotation})
    answer = control_plane.create_pod(namespace, pod)

    assert injector.decisions() - before == reviews
    if expected in (INJECTED, UNTOUCHED):
        assert answer.is_success, answer.text
        dind = names(answer.json()["spec"].get("initContainers"))
        assert dind == (["dind"] if expected == INJECTED else [])
    else:
        assert answer.status_code == 403
        assert "denied the request" in answer.json()["message"]
        assert expected in answer.json()["message"]


def test_kubectl_shows_a_refusal_with_every_problem(
    control_plane: ControlPlane, injector: RunningService, namespace: str
) -> None:
    assert injector.decisions() >= 0
    pod = _pod({"dind.io/inject": "true", "dind.io/profile": "huge", "dind.io/memori": "1Gi"})
    pod |= {"apiVersion": "v1", "kind": "Pod"}

    result = control_plane.kubectl(
        *("create", "-n", namespace, "-f", "-"), input=json.dumps(pod), check=False
    )

    assert result.returncode == 1
    assert 'admission webhook "pod.dind.io" denied the request: 2 problems: ' in result.stderr
    assert 'unknown annotation "dind.io/memori"' in result.stderr
    assert 'annotation dind.io/profile: unknown profile "huge"' in result.stderr


def test_kubectl_shows_a_warning(
    control_plane: ControlPlane, injector: RunningService, namespace: str
) -> None:
    assert injector.decisions() >= 0
    pod = _pod({"dind.io/inject": "true"})
    pod["spec"]["containers"][0]["env"] = [{"name": "DOCKER_HOST", "value": "tcp://build:2376"}]
    pod |= {"apiVersion": "v1", "kind": "Pod"}

    result = control_plane.kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(pod))

    assert result.stderr == "Warning: container app keeps its own DOCKER_HOST\n"


@pytest.mark.parametrize("variable", [{}, {"value": ""}], ids=["absent", "empty"])
def test_an_empty_docker_host_is_stored_with_the_socket(
    control_plane: ControlPlane, injector: RunningService, namespace: str, variable: dict[str, str]
) -> None:
    assert injector.decisions() >= 0
    pod = _pod({"dind.io/inject": "true"})
    pod["spec"]["containers"][0]["env"] = [{"name": "DOCKER_HOST", **variable}, {"name": "CI"}]

    stored = control_plane.create_pod(namespace, pod).json()

    assert stored["spec"]["containers"][0]["env"] == [
        {"name": "DOCKER_HOST", "value": "unix:///var/run/docker.sock"},
        {"name": "CI"},
    ]


@pytest.mark.parametrize("operator", ["In", "NotIn"])
def test_a_pod_for_windows_nodes_by_affinity_is_denied(
    control_plane: ControlPlane, injector: RunningService, namespace: str, operator: str
) -> None:
    assert injector.decisions() >= 0
    values = ["windows"] if operator == "In" else ["linux"]
    term = {
        "matchExpressions": [{"key": "kubernetes.io/os", "operator": operator, "values": values}]
    }
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    pod = _pod({"dind.io/inject": "true"}, affinity={"nodeAffinity": required})

    response = control_plane.create_pod(namespace, pod)

    assert response.status_code == 403
    assert "the pod is for Windows nodes" in response.text


def test_a_namespace_label_alone_moves_a_pod_off_the_hosts_socket(
    control_plane: ControlPlane, injector: RunningService
) -> None:
    assert injector.decisions() >= 0
    namespace = _namespace(control_plane, "true")
    pod = _pod(
        volumes=[
            {"name": "work", "emptyDir": {}},
            {"name": "docker-sock", "hostPath": {"path": "/var/run/docker.sock"}},
        ]
    )
    pod["spec"]["containers"][0]["volumeMounts"] = [
        {"name": "docker-sock", "mountPath": "/var/run/docker.sock"},
        {"name": "work", "mountPath": "/work"},
    ]

    stored = control_plane.create_pod(namespace, pod).json()

    assert not [v for v in stored["spec"]["volumes"] if "hostPath" in v]
    mounts = {m["mountPath"]: m["name"] for m in stored["spec"]["containers"][0]["volumeMounts"]}
    assert mounts.items() >= {"/work": "work", "/var/run": "cache-dir"}.items()
    assert "/var/run/docker.sock" not in mounts
    sidecar = {
        m["mountPath"]: m["name"] for m in stored["spec"]["initContainers"][0]["volumeMounts"]
    }
    assert sidecar["/work"] == "work"


def test_a_stored_pod_sent_again_gains_nothing(
    control_plane: ControlPlane, injector: RunningService, namespace: str
) -> None:
    first = control_plane.create_pod(namespace, _pod({"dind.io/inject": "true"})).json()
    again = as_sent_again(first)
    again["metadata"]["generateName"] = "again-"

    second = control_plane.create_pod(namespace, again).json()

    assert second["spec"] == first["spec"]
    assert second["metadata"]["annotations"] == first["metadata"]["annotations"]
    assert injector.events("injected")[-1]["reason"] == "already-injected"


LATE_CONTAINER = {"name": "late", "image": "alpine:3"}


def test_a_container_that_another_webhook_adds_later_gets_the_socket_too(
    control_plane: ControlPlane,
    injector: RunningService,
    namespace: str,
) -> None:
    """Reinvoked, we add the missing mount and variable to that container, and nothing else."""
    pod = _pod({"dind.io/inject": "true"}, automountServiceAccountToken=False)
    alone = control_plane.create_pod(namespace, pod).json()
    pod["metadata"]["labels"] = {"late": "true"}
    before = injector.decisions()

    patch = [{"op": "add", "path": "/spec/containers/-", "value": LATE_CONTAINER}]

    with late_webhook(control_plane, patch) as late:
        stored = control_plane.create_pod(namespace, pod).json()

    assert late.take() == ["/"]
    assert injector.decisions() - before == 2
    app, added = stored["spec"]["containers"]
    assert sees_socket(added)
    assert app == alone["spec"]["containers"][0]
    assert stored["spec"]["initContainers"] == alone["spec"]["initContainers"]
    assert stored["spec"]["volumes"] == alone["spec"]["volumes"]
    status = json.loads(stored["metadata"]["annotations"]["dind.io/status"])
    assert status["containers"] == ["app", "late"]


@pytest.mark.usefixtures("injector")
@pytest.mark.parametrize(
    "fields",
    [
        ["restartPolicy"],
        ["lifecycle"],
        ["command", "args"],
        ["restartPolicy", "command", "args", "lifecycle", "securityContext", "volumeMounts"],
    ],
    ids=" ".join,
)
def test_fields_that_another_webhook_drops_are_restored(
    control_plane: ControlPlane, namespace: str, fields: list[str]
) -> None:
    """As a webhook does that decodes pods with a client library older than native sidecars."""
    pod = _pod({"dind.io/inject": "true"}, automountServiceAccountToken=False)
    alone = control_plane.create_pod(namespace, pod).json()
    pod["metadata"]["labels"] = {"late": "true"}
    patch = [{"op": "remove", "path": f"/spec/initContainers/0/{field}"} for field in fields]

    with late_webhook(control_plane, patch):
        answer = control_plane.create_pod(namespace, pod)

    assert answer.is_success, answer.text
    assert answer.json()["spec"] == alone["spec"]
