"""Values that several tests set, as JSON text."""

import json

DIGEST = "sha256:" + "0123456789abcdef" * 4
CERTIFICATE = json.dumps("-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n")
PROVIDED = {
    "certificates.mode": '"provided"',
    "certificates.provided.secretName": '"own"',
    "certificates.provided.caBundle": CERTIFICATE,
}
SCALED = {"autoscaling.enabled": "true"}
MONITORED = {"metrics.serviceMonitor.enabled": "true", "metrics.prometheusRule.enabled": "true"}
DASHBOARD = {"metrics.dashboard.enabled": "true"}
NODE = {"node.enabled": "true", "config.policy.profiles": '{"*": ["default", "node"]}'}
NODE_CHECK = {"userNamespaces.nodeCheck.enabled": "true"}
POD_MONITORED = {"metrics.podMonitor.enabled": "true"}
AVAILABLE = {"podDisruptionBudget.minAvailable": "1"}
MEMORY_METRIC = json.dumps(
    {
        "type": "Resource",
        "resource": {
            "name": "memory",
            "target": {"type": "Utilization", "averageUtilization": 80},
        },
    }
)
RUNTIME_CLASS = {"userNamespaces.runtimeClass.create": "true"}
READER = {"rbac.reader.create": "true"}
CALLED = {"webhook.clientCA.configMapName": '"api-server-ca"'}
ISSUED = {"certificates.mode": '"cert-manager"'}
STORES = {"reclaimer.hostPaths": '["/mnt/stores"]'}
PRE_PULL = {"imagePrePull.enabled": "true"}
PAGE = {"explainPage.enabled": "true"}
PAGE_INGRESS = {
    **PAGE,
    "explainPage.ingress.enabled": "true",
    "explainPage.ingress.host": '"docker.example.com"',
}
CACHED = {"registryCache.enabled": "true"}
CACHED_PERSISTENTLY = {**CACHED, "registryCache.storage.persistent": "true"}


def cached(**upstream: object) -> dict[str, str]:
    """A cache of private.example.com with these settings."""
    return {**CACHED, "registryCache.upstreams": json.dumps({"private.example.com": upstream})}


# A cache with credentials for the pods of one namespace.
PRIVATE = {
    "credentialsSecret": "registry",
    "allowedNamespaces": ["ci-app"],
    "profiles": ["private"],
}
ONLY_FOR_CI_APP = {
    "config.profiles.private": "{}",
    "config.policy.profiles": '{"ci-app": ["private"]}',
}
