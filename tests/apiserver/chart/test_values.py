"""Every value does something."""

import pytest
from apiserver.chart.helm import CHART, Helm, settings
from apiserver.chart.presets import (
    CALLED,
    CERTIFICATE,
    CHECKER,
    DASHBOARD,
    DIGEST,
    ISSUED,
    MONITORED,
    NODE,
    PROVIDED,
    SCALED,
)

from tools import chart

pytestmark = pytest.mark.apiserver("helm")

# Another value for each key of values.yaml, and what it needs beside it.
CHANGES: dict[str, tuple[str, dict[str, str]]] = {
    "nameOverride": ('"other"', {}),
    "fullnameOverride": ('"other"', {}),
    "commonLabels": ('{"team": "ci"}', {}),
    "commonAnnotations": ('{"team": "ci"}', {}),
    "image.repository": ('"registry.example.com/dind-webhook"', {}),
    "image.tag": ('"1.2.3"', {}),
    "image.digest": (f'"{DIGEST}"', {}),
    "image.pullPolicy": ('"Always"', {}),
    "imagePullSecrets": ('[{"name": "registry"}]', {}),
    "config": ('{"profiles": {"big": {}}}', {}),
    "webhook.failurePolicy": ('"Ignore"', {}),
    "webhook.timeoutSeconds": ("7", {}),
    "webhook.excludedNamespaces": ('["monitoring"]', {}),
    "webhook.clientCA.configMapName": ('"api-server-ca"', {}),
    "webhook.clientCA.secretName": ('"api-server-ca"', {}),
    "webhook.clientCA.name": ('"kube-apiserver"', CALLED),
    "podPolicy.enabled": ("false", {}),
    "podPolicy.exemptUsers": ('["system:serviceaccount:kube-system:vpa-updater"]', {}),
    "replicas": ("3", {}),
    "logLevel": ('"debug"', {}),
    "resources": ('{"requests": {"cpu": "1"}}', {}),
    "podLabels": ('{"team": "ci"}', {}),
    "podAnnotations": ('{"team": "ci"}', {}),
    "priorityClassName": ('"system-cluster-critical"', {}),
    "nodeSelector": ('{"pool": "ci"}', {}),
    "tolerations": ('[{"operator": "Exists"}]', {}),
    "affinity": ('{"nodeAffinity": {}}', {}),
    "topologySpreadConstraints": ('[{"maxSkew": 1}]', {}),
    "podDisruptionBudget.enabled": ("false", {}),
    "podDisruptionBudget.minAvailable": ("2", {"replicas": "3"}),
    "autoscaling.enabled": ("true", {}),
    "autoscaling.minReplicas": ("3", SCALED),
    "autoscaling.maxReplicas": ("9", SCALED),
    "autoscaling.targetCPUUtilizationPercentage": ("50", SCALED),
    "networkPolicy.enabled": ("false", {}),
    "networkPolicy.from": ('[{"ipBlock": {"cidr": "10.0.0.0/8"}}]', {}),
    "networkPolicy.metricsFrom": ('[{"namespaceSelector": {}}]', {}),
    "networkPolicy.apiServerPorts": ("[7443]", {}),
    "certificates.mode": ('"cert-manager"', {}),
    "certificates.self.propagationDelaySeconds": ("150", {}),
    "certificates.self.caDays": ("90", {}),
    "certificates.self.servingCertificateDays": ("9", {}),
    "certificates.self.affinity": ('{"podAffinity": {}}', {}),
    "certificates.self.tolerations": ("[]", {}),
    "certificates.self.resources": ('{"requests": {"cpu": "1"}}', {}),
    "certificates.certManager.issuerRef": ('{"name": "internal"}', ISSUED),
    "certificates.certManager.durationHours": ("24", ISSUED),
    "certificates.provided.secretName": ('"other"', PROVIDED),
    "certificates.provided.caBundle": (CERTIFICATE.replace("MII", "MIJ"), PROVIDED),
    "metrics.serviceMonitor.enabled": ("true", {}),
    "metrics.serviceMonitor.interval": ('"10s"', MONITORED),
    "metrics.serviceMonitor.labels": ('{"release": "prometheus"}', MONITORED),
    "metrics.prometheusRule.enabled": ("true", {}),
    "metrics.prometheusRule.labels": ('{"release": "prometheus"}', MONITORED),
    "metrics.dashboard.enabled": ("true", {}),
    "metrics.dashboard.labels": ('{"team": "ci"}', DASHBOARD),
    "node.enabled": ("true", {"config.profiles.node.mode": '"node"'}),
    "node.image": ('"docker:28-dind"', NODE),
    "node.storagePath": ('"/data/dind"', NODE),
    "node.extraArgs": ('["--debug"]', NODE),
    "node.resources": ('{"limits": {"memory": "8Gi"}}', NODE),
    "node.podAnnotations": ('{"team": "ci"}', NODE),
    "node.priorityClassName": ('"system-node-critical"', NODE),
    "node.nodeSelector": ('{"pool": "ci"}', NODE),
    "node.tolerations": ('[{"operator": "Exists"}]', NODE),
    "node.affinity": ('{"nodeAffinity": {}}', NODE),
    "node.updateStrategy": ('{"type": "OnDelete"}', NODE),
    "checker.create": ("true", {}),
    "checker.subjects": ('[{"kind": "User", "name": "jane"}]', CHECKER),
    "tests.namespace": ('"ci"', {}),
}


def test_every_value_has_a_change_to_be_tried() -> None:
    tree = chart.values((CHART / "values.yaml").read_text())

    assert [".".join(value.path) for value in chart.leaves(tree)] == list(CHANGES)


@pytest.mark.parametrize("key", CHANGES)
def test_every_value_changes_the_rendering(helm: Helm, key: str) -> None:
    text, needed = CHANGES[key]

    assert helm.objects(*settings({**needed, key: text})) != helm.objects(*settings(needed))
