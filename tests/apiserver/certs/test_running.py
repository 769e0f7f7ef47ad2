"""`dind-certs run` and `dind-certs show` as processes."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from apiserver.certs.installation import CALM, QUICK, Installation
from kube.waiting import until

from certs.certificates import fingerprint

pytestmark = pytest.mark.apiserver


def test_it_ends_at_once_and_cleanly_when_asked(installation: Installation) -> None:
    with installation.running(*CALM) as process:
        process.await_event("waiting")
        assert process.end() == 0
    assert json.loads(process.log.read_text().splitlines()[-1])["event"] == "stopped"


def test_a_cluster_that_does_not_answer_is_asked_again_until_it_is_told_to_end(
    installation: Installation, tmp_path: Path
) -> None:
    unreachable = json.loads(installation.control_plane.kubeconfig.read_text())
    unreachable["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    kubeconfig = tmp_path / "unreachable"
    kubeconfig.write_text(json.dumps(unreachable))
    with installation.running(*CALM, kubeconfig=kubeconfig) as process:
        until(lambda: len(process.events("trouble")) >= 2, "two lines of trouble")
        assert process.end() == 0
    assert "Connection refused" in process.events("trouble")[0]["error"]
    assert "Traceback" not in process.log.read_text()


def test_what_is_awaited_of_others_is_a_warning(installation: Installation) -> None:
    installation.uninstall()
    with installation.running(*CALM) as process:
        process.await_event("waiting")
    installation.install_registration()
    (line,) = process.events("waiting")
    assert line["level"] == "warning"
    assert line["reason"] == "the webhook configuration does not exist"


def test_certificates_rotate_and_the_old_authority_retires(installation: Installation) -> None:
    installation.add_ready_pod()
    with installation.running(*QUICK) as process:
        installation.await_peace()
        first = {authority.certificate for authority in installation.authorities()}
        until(
            lambda: not first & {a.certificate for a in installation.authorities()},
            "the first authority to retire",
            seconds=60,
        )
        installation.await_peace()
    kept = [line["reason"] for line in process.events("authorities kept")]
    (first_certificate,) = first
    assert kept[0] == f"no replica needs authority {fingerprint(first_certificate)} any more"


def test_show_says_who_signed_what_who_trusts_whom_and_what_comes_next(
    installation: Installation,
) -> None:
    installation.bring_to_rest()
    installation.add_ready_pod()

    shown = installation.show()

    (authority,) = installation.authorities()
    leaf = installation.leaf()
    assert leaf is not None
    name = fingerprint(authority.certificate)
    lines = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert [line for line in lines if "expires" not in line and "wait" not in line] == [
        "Authorities (secret hook-ca)",
        "Leaf (secret hook-tls)",
        f"Bundle (mutatingwebhookconfiguration {installation.names.webhook_configuration})",
        *(line for line in lines if f"trusts {name} applied" in line),
        f"Ready replicas ({installation.names.selector})",
        "hook-0 serves the stored leaf",
        "Next",
    ]
    expiring = [line for line in lines if "expires" in line]
    assert expiring[0].startswith(f"{name} expires")
    assert expiring[0].endswith("issued the leaf")
    assert expiring[1].startswith(f"{fingerprint(leaf)} expires")
    assert f"issued by {name}" in expiring[1]
    assert lines[-1].endswith(": all is well")
    assert (shown.returncode, shown.stderr) == (0, "")


def test_show_says_in_one_sentence_that_there_is_no_cluster(
    installation: Installation, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("{}")
    installation.control_plane = type("Elsewhere", (), {"kubeconfig": broken})()

    shown = installation.show()

    assert shown.stdout == ""
    assert shown.stderr.startswith("Error: There is no access to a cluster: ")
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
    installation.add_ready_pod()

    with installation.running(*QUICK, kubeconfig=kubeconfig) as process:
        installation.await_peace()
        until(lambda: bool(process.events("authorities kept")), "a whole rotation", seconds=60)

    assert process.events("trouble") == []
    assert process.events("watch ended") == []


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
