"""Values that are valid alone and contradict each other are errors, each with a message."""

import json
import re

import pytest
from apiserver.chart.helm import FULLNAME, NAMESPACE, Helm, HelmRefused, settings
from apiserver.chart.presets import (
    AVAILABLE,
    CACHED,
    CACHED_PERSISTENTLY,
    CALLED,
    CERTIFICATE,
    DIGEST,
    ISSUED,
    MONITORED,
    NODE,
    NODE_CHECK,
    ONLY_FOR_CI_APP,
    PRE_PULL,
    PRIVATE,
    PROVIDED,
    SCALED,
    cached,
)

pytestmark = pytest.mark.apiserver("helm")

OWN_MIRROR = {"private.example.com": {"mirrors": [{"url": "https://mirror.example.com"}]}}
LABELLED = '{"dind.io/user-namespaces": "true"}'


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
        (
            {"explainPage.ingress.enabled": "true", "explainPage.ingress.host": '"a.example.com"'},
            "explainPage.ingress.enabled: has no effect if explainPage.enabled is false",
        ),
        (
            {"explainPage.enabled": "true", "explainPage.ingress.enabled": "true"},
            "explainPage.ingress.host: required if explainPage.ingress.enabled is true",
        ),
        (
            {"explainPage.from": "[{}]", "networkPolicy.enabled": "false"},
            "explainPage.from: requires networkPolicy.enabled",
        ),
        (
            {**NODE_CHECK, "userNamespaces.nodeCheck.nodeSelector": LABELLED},
            "userNamespaces.nodeCheck.nodeSelector: cannot contain dind.io/user-namespaces",
        ),
        (
            {**NODE_CHECK, "userNamespaces.runtimeClass.name": f'"{FULLNAME}-node-check"'},
            'userNamespaces.runtimeClass.name: "ci-dind-webhook-node-check" is the RuntimeClass of',
        ),
        (
            {"userNamespaces.runtimeClass.nodeSelector": LABELLED},
            "userNamespaces.runtimeClass.nodeSelector: no node has the label dind.io/user-namespac",
        ),
        (
            {
                **NODE_CHECK,
                "userNamespaces.runtimeClass.nodeSelector": LABELLED.replace("true", "yes"),
            },
            "userNamespaces.runtimeClass.nodeSelector.dind.io/user-namespaces: no node has the val",
        ),
        (
            {
                "reclaimer.hostPaths": '["/var/lib/dind-webhook/old"]',
                "config.profiles.default.storage.persistent": '{"share": "trusted"}',
            },
            "storage.persistent.hostPath, reclaimer.hostPaths: /var/lib/dind-webhook/old is in /v",
        ),
        (
            {**PRE_PULL, "config.defaultProfile": '"ci"'},
            "imagePrePull.enabled: there is no image to pull, because config.profiles is empty",
        ),
        (
            {**CACHED, "registryCache.upstreams": '{"docker.io": null}'},
            "registryCache.upstreams: required if registryCache.enabled is true",
        ),
        (
            {**CACHED, "registryCache.upstreams": '{"registry-1.docker.io": {}}'},
            "registryCache.upstreams.registry-1.docker.io: is Docker Hub, whose name in image nam",
        ),
        (
            {**CACHED, "registryCache.upstreams": '{"docker.io:443": {}}'},
            "registryCache.upstreams.docker.io:443: is Docker Hub, whose name in image names",
        ),
        (
            {**CACHED, "registryCache.upstreams": '{"a.example:65536": {}}'},
            "registryCache.upstreams.a.example:65536: 65536 is not a port",
        ),
        (
            cached(url="https://a.example:65536"),
            "registryCache.upstreams.private.example.com: 65536 is not a port",
        ),
        (
            {**CACHED, "registryCache.upstreams": '{"a.b.example": {}, "a-b.example": {}}'},
            "registryCache.upstreams.a.b.example: its objects would have the same name as those of",
        ),
        (
            {**CACHED_PERSISTENTLY, "registryCache.replicaCount": "2"},
            "registryCache.replicaCount: 2 pods cannot share the PVC of a cache",
        ),
        (
            {**CACHED, "registryCache.storage.storageClassName": '"fast"'},
            "registryCache.storage.storageClassName: has no effect if registryCache.storage.per",
        ),
        (
            {**CACHED, "registryCache.caCertificates": '"MII="'},
            "registryCache.caCertificates: contains no certificate in PEM",
        ),
        (
            {
                **CACHED,
                "registryCache.caCertificates": CERTIFICATE.replace("END", "PRIVATE KEY-----"),
            },
            "registryCache.caCertificates: contains a private key",
        ),
        (
            cached(credentialsSecret="registry"),
            "registryCache.upstreams.private.example.com.allowedNamespaces: required with creden",
        ),
        (
            cached(allowedNamespaces=["ci-app"]),
            "registryCache.upstreams.private.example.com.profiles: required with allowedNamespaces",
        ),
        (
            {**cached(**PRIVATE), **ONLY_FOR_CI_APP, "networkPolicy.enabled": "false"},
            "registryCache.upstreams.private.example.com.allowedNamespaces: requires networkPolicy",
        ),
        (
            {**cached(**PRIVATE, url="http://private.example.com"), **ONLY_FOR_CI_APP},
            "registryCache.upstreams.private.example.com.url: the credentials would be sent witho",
        ),
        (
            cached(profiles=["fast"]),
            'registryCache.upstreams.private.example.com.profiles: unknown profile "fast" (avail',
        ),
        (
            {**cached(profiles=["node"]), **NODE},
            'registryCache.upstreams.private.example.com.profiles: profile "node" has mode node',
        ),
        (
            {
                **cached(profiles=["private"]),
                "config.profiles.private": json.dumps({"registries": OWN_MIRROR}),
            },
            'registryCache.upstreams.private.example.com.profiles: profile "private" has mode nod',
        ),
        (
            {**cached(**PRIVATE), "config.profiles.private": "{}"},
            'config.policy.profiles: empty, so pods of all namespaces may use profile "private"',
        ),
        (
            {
                **cached(**PRIVATE),
                **ONLY_FOR_CI_APP,
                "config.policy.profiles.ci-*": '["private"]',
            },
            'config.policy.profiles: pods of ci-* may use profile "private", but the cache of pri',
        ),
        (
            {
                **cached(**{**PRIVATE, "profiles": ["default"]}),
                "config.policy.profiles": '{"ci-app": ["default"]}',
            },
            'registryCache.upstreams.private.example.com.profiles: "default" is the default profi',
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
