"""`dind-certs run` and `dind-certs show` as processes."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from apiserver.certs.installation import DUE_AGE, FLAGS, PATIENCE, Installation
from kube.waiting import until

from certs.certificates import fingerprint

pytestmark = pytest.mark.apiserver


def test_sigterm_ends_it_with_status_0(installation: Installation) -> None:
    with installation.running(*FLAGS) as process:
        process.await_event("waiting")
        assert process.end() == 0
    assert json.loads(process.log.read_text().splitlines()[-1])["event"] == "stopped"


def test_an_unreachable_cluster_is_retried_until_sigterm(
    installation: Installation, tmp_path: Path
) -> None:
    unreachable = json.loads(installation.control_plane.kubeconfig.read_text())
    unreachable["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    kubeconfig = tmp_path / "unreachable"
    kubeconfig.write_text(json.dumps(unreachable))
    with installation.running(*FLAGS, kubeconfig=kubeconfig) as process:
        failed = "request to the API server failed"
        until(lambda: len(process.events(failed)) >= 2, "two failed requests", seconds=PATIENCE)
        assert process.end() == 0
    assert "Connection refused" in process.events(failed)[0]["error"]
    assert "Traceback" not in process.log.read_text()


def test_a_missing_webhook_configuration_is_a_warning(installation: Installation) -> None:
    installation.uninstall()
    with installation.running(*FLAGS) as process:
        process.await_event("waiting")
    installation.install_webhook_configuration()
    (line,) = process.events("waiting")
    assert line["level"] == "warning"
    assert line["reason"] == "the MutatingWebhookConfiguration does not exist"


def test_certificates_rotate_and_the_old_ca_is_removed(installation: Installation) -> None:
    installation.bring_up_to_date(age=DUE_AGE)
    installation.add_ready_pod()
    (old,) = installation.cas()
    with installation.running(*FLAGS) as process:
        process.await_event("CAs changed")
        installation.await_consistency()
        process.await_event("waiting")
    (new,) = installation.cas()
    assert new.certificate != old.certificate
    (removal,) = process.events("CAs changed")
    assert removal["reason"] == f"no replica needs CA {fingerprint(old.certificate)} any more"
    assert len(process.events("CA added")) == 1


def test_show_reports_issuers_trust_and_what_comes_next(
    installation: Installation,
) -> None:
    installation.bring_up_to_date()
    installation.add_ready_pod()

    shown = installation.show()

    (ca,) = installation.cas()
    serving = installation.serving_certificate()
    assert serving is not None
    name = fingerprint(ca.certificate)
    lines = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert [line for line in lines if "expires" not in line and "wait" not in line] == [
        "CAs (secret hook-ca)",
        "Serving certificate (secret hook-tls)",
        f"caBundle (mutatingwebhookconfiguration {installation.names.webhook_configuration})",
        *(line for line in lines if f"trusts {name} published" in line),
        f"Ready replicas ({installation.names.selector})",
        "hook-0 serves the stored certificate",
        "Next",
    ]
    expiring = [line for line in lines if "expires" in line]
    assert expiring[0].startswith(f"{name} expires")
    assert expiring[0].endswith("issued the serving certificate")
    assert expiring[1].startswith(f"{fingerprint(serving)} expires")
    assert f"issued by {name}" in expiring[1]
    assert lines[-1].endswith(": everything is up to date")
    assert (shown.returncode, shown.stderr) == (0, "")


def test_show_reports_a_missing_cluster_in_one_line(
    installation: Installation, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("{}")
    installation.control_plane = type("Elsewhere", (), {"kubeconfig": broken})()

    shown = installation.show()

    assert shown.stdout == ""
    assert shown.stderr.startswith("Error: no access to a cluster: ")
    assert shown.stderr.count("\n") == 1
    assert shown.returncode == os.EX_UNAVAILABLE


RULES: list[dict[str, Any]] = [
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
    {
        "apiGroups": [""],
        "resources": ["secrets"],
        "resourceNames": ["hook-ca", "hook-tls"],
        "verbs": ["get", "update", "watch"],
    },
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    {
        "apiGroups": ["apps"],
        "resources": ["deployments"],
        "resourceNames": ["hook-certs"],
        "verbs": ["get"],
    },
]


def test_these_rights_are_enough(installation: Installation, tmp_path: Path) -> None:
    """Of the namespace the rules above, of the cluster one configuration: get, patch, watch."""
    name = installation.names.webhook_configuration
    cluster_rule = {
        "apiGroups": ["admissionregistration.k8s.io"],
        "resources": ["mutatingwebhookconfigurations"],
        "resourceNames": [name],
        "verbs": ["get", "patch", "watch"],
    }
    kubeconfig = tmp_path / "limited"
    kubeconfig.write_text(json.dumps(_limited(installation, RULES, cluster_rule)))
    installation.bring_up_to_date(age=DUE_AGE)
    installation.add_ready_pod()

    with installation.running(*FLAGS, kubeconfig=kubeconfig) as process:
        process.await_event("CAs changed")
        installation.await_consistency()

    assert process.events("request to the API server failed") == []
    assert process.events("watch failed") == []


def _limited(
    installation: Installation, rules: list[dict[str, Any]], cluster_rule: dict[str, Any]
) -> dict[str, Any]:
    """Give a service account these rights; return a kubeconfig with a token of it."""
    client, namespace = installation.control_plane.client, installation.names.namespace
    account = {"kind": "ServiceAccount", "name": "certs", "namespace": namespace}
    rbac = "/apis/rbac.authorization.k8s.io/v1"

    def create(path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = client.post(path, json=body)
        assert answer.is_success, answer.text
        created: dict[str, Any] = answer.json()
        return created

    def bind(prefix: str, kind: str, name: str, rules: list[dict[str, Any]]) -> None:
        create(f"{prefix}/{kind.lower()}s", {"metadata": {"name": name}, "rules": rules})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
        binding = {"metadata": {"name": name}, "roleRef": role, "subjects": [account]}
        create(f"{prefix}/{kind.lower()}bindings", binding)

    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    create(accounts, {"metadata": {"name": "certs"}})
    bind(f"{rbac}/namespaces/{namespace}", "Role", "certs", rules)
    bind(rbac, "ClusterRole", namespace, [cluster_rule])
    token = create(f"{accounts}/certs/token", {"spec": {}})["status"]["token"]
    access: dict[str, Any] = json.loads(installation.control_plane.kubeconfig.read_text())
    access["users"][0]["user"] = {"token": token}
    return access
