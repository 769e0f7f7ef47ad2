"""Values that are valid alone and contradict each other are errors, each with a message."""

import re

import pytest
from apiserver.chart.helm import NAMESPACE, Helm, HelmRefused, settings
from apiserver.chart.presets import (
    AVAILABLE,
    CALLED,
    CERTIFICATE,
    DIGEST,
    ISSUED,
    MONITORED,
    NODE,
    PROVIDED,
    SCALED,
)

pytestmark = pytest.mark.apiserver("helm")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"image.tag": '"1"', "image.digest": f'"{DIGEST}"'},
            "image.tag: cannot be set together with image.digest",
        ),
        (
            {"nameOverride": '"Dind"'},
            'fullnameOverride: the name of the objects would be "ci-Dind"',
        ),
        (
            {"fullnameOverride": '"9lives"'},
            'fullnameOverride: the name of the objects would be "9lives"',
        ),
        (
            {"rbac.reader.subjects": '[{"kind": "User", "name": "jane"}]'},
            "rbac.reader.subjects: there is no ClusterRole to bind",
        ),
        (
            {"tests.namespace": '"ci"', "webhook.excludedNamespaces": '["ci"]'},
            'tests.namespace: namespace "ci" is excluded from injection',
        ),
        (
            {"tests.namespace": '"kube-system"'},
            'tests.namespace: namespace "kube-system" is excluded from injection',
        ),
        (
            {"tests.namespace": f'"{NAMESPACE}"'},
            f'tests.namespace: pods in "{NAMESPACE}", the namespace of the release, are never inje',
        ),
        (
            {"node.enabled": "true"},
            "config.policy.profiles: must list the namespaces whose pods may",
        ),
        (
            {**NODE, "config.policy.profiles": '{"ci-*": ["default"]}'},
            "config.policy.profiles: must list the namespaces whose pods may use profile node",
        ),
        (
            {**AVAILABLE, "replicaCount": "1"},
            "podDisruptionBudget.minAvailable: 1 is not less than replicaCount (1)",
        ),
        (
            {**AVAILABLE, "podDisruptionBudget.maxUnavailable": "1"},
            "podDisruptionBudget.minAvailable: cannot be set together with",
        ),
        (
            {"webhook.hostNetwork": "true"},
            "webhook.port: 10250 is a port of the kubelet or kube-proxy",
        ),
        ({"webhook.adminPort": "10250"}, "webhook.adminPort: 10250 is webhook.port already"),
        (
            {"webhook.matchConditions": '[{"name": "opted-in", "expression": "true"}]'},
            'webhook.matchConditions: the name "opted-in" is taken',
        ),
        (
            {**MONITORED, "metrics.podMonitor.enabled": "true"},
            "metrics.podMonitor.enabled: cannot be true together with metrics.serviceMonitor.enab",
        ),
        (
            {**SCALED, **AVAILABLE, "autoscaling.minReplicas": "1"},
            "podDisruptionBudget.minAvailable: 1 is not less than autoscaling.minReplicas (1)",
        ),
        (
            {**SCALED, "replicaCount": "3"},
            "replicaCount: cannot be set if autoscaling.enabled is true",
        ),
        (
            {**SCALED, "autoscaling.minReplicas": "7"},
            "autoscaling.minReplicas: 7 is greater than autoscaling.maxReplicas (6)",
        ),
        (
            {**SCALED, "resources": '{"requests": {"cpu": null}}'},
            "resources.requests.cpu: required if autoscaling.enabled is true",
        ),
        (
            {"certificates.mode": '"provided"'},
            "certificates.provided.secretName: required if certificates.mode is provided",
        ),
        (
            {"certificates.mode": '"provided"'},
            "certificates.provided.caBundle: required if certificates.mode is provided",
        ),
        (
            {**PROVIDED, "certificates.provided.caBundle": '"MII="'},
            "certificates.provided.caBundle: contains no certificate in PEM",
        ),
        (
            {
                **PROVIDED,
                "certificates.provided.caBundle": CERTIFICATE.replace("END", "PRIVATE KEY-----"),
            },
            "certificates.provided.caBundle: contains a private key",
        ),
        (
            {"certificates.provided.caBundle": CERTIFICATE},
            "certificates.provided.caBundle: has no effect if certificates.mode is self",
        ),
        (
            {**ISSUED, "certificates.provided.secretName": '"own"'},
            "certificates.provided.secretName: has no effect if certificates.mode is cert-manager",
        ),
        (
            {**CALLED, "webhook.clientCA.secretName": '"own"'},
            "webhook.clientCA.configMapName: cannot be set together",
        ),
        (
            {"webhook.clientCA.name": '"kube-apiserver"'},
            "webhook.clientCA.name: requires webhook.clientCA.configMapName",
        ),
        (
            {"certificates.self.servingCertificateDays": "366"},
            "certificates.self.servingCertificateDays: 366 is greater than",
        ),
        (
            {"certificates.certManager.issuerRef": '{"name": "internal"}'},
            "certificates.certManager.issuerRef: has no effect if certificates.mode is self",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_contradicting_values_are_errors(helm: Helm, values: dict[str, str], sentence: str) -> None:
    with pytest.raises(HelmRefused, match=re.escape(sentence)):
        helm.template(*settings(values))


def test_all_contradictions_are_reported_at_once(helm: Helm) -> None:
    with pytest.raises(HelmRefused) as refusal:
        helm.template(
            *settings(
                {
                    **AVAILABLE,
                    "replicaCount": "1",
                    "certificates.certManager.issuerRef": '{"name": "a"}',
                }
            )
        )

    assert "podDisruptionBudget.minAvailable: 1" in str(refusal.value)
    assert "certificates.certManager.issuerRef: " in str(refusal.value)
