"""Checks what the cluster needs for profiles with isolation userNamespace."""

from collections.abc import Iterator

from webhook.cli.check.report import Finding, Status
from webhook.cli.live import LiveCluster, NotAllowed
from webhook.cluster.node_label import NODE_LABEL
from webhook.config import ConfigError, Isolation, parse_config
from webhook.injection.decisions import listed

_NAME = "userNamespace"  # the value of `isolation`
_FILE = "config.yaml"


def check_user_namespaces(cluster: LiveCluster, namespace: str, name: str) -> Iterator[Finding]:
    """Check the RuntimeClasses and the nodes, if a profile has this isolation.

    Args:
        cluster: where to look.
        namespace: that of the webhook's pods.
        name: that of the chart's objects, and so of the ConfigMap with the configuration file.
    """
    source = f"ConfigMap {namespace}/{name}"
    try:
        config_map = cluster.config_map(namespace, name)
        file = (config_map.data or {}).get(_FILE) if config_map is not None else None
        if file is None:
            return
        config = parse_config(file.encode(), source)
    except NotAllowed:
        # F-reader grants it for the ConfigMap of its own release only.
        fix = "rbac.reader.create=true creates a ClusterRole that includes it."
        yield Finding("configuration", Status.UNKNOWN, f"you may not read {source}", fix)
        return
    except ConfigError as error:
        first = str(error).splitlines()[0]
        fix = "Correct the value config of the chart. The last valid file stays in use."
        yield Finding("configuration", Status.WARNING, first, fix)
        return
    profiles = [
        profile
        for profile in config.profiles.values()
        if profile.isolation is Isolation.USER_NAMESPACE
    ]
    if profiles:
        classes = sorted({profile.runtime_class_name or "" for profile in profiles} - {""})
        yield _check_cluster(cluster, classes)


def _check_cluster(cluster: LiveCluster, classes: list[str]) -> Finding:
    missing = [name for name in classes if cluster.runtime_class(name) is None]
    if missing:
        return Finding(
            _NAME,
            Status.BROKEN,
            f"RuntimeClass {listed(missing)} does not exist: pods that need it are denied",
            "userNamespaces.runtimeClass.create=true creates the one that is named "
            "userNamespaces.runtimeClass.name.",
        )
    count = len(cluster.nodes(f"{NODE_LABEL}=true"))
    if not count:
        return Finding(
            _NAME,
            Status.WARNING,
            f"no node has the label {NODE_LABEL}=true",
            "userNamespaces.nodeCheck.enabled=true labels the nodes that are prepared. The log of "
            "a pod of this check names what its node lacks.",
        )
    exist = f"RuntimeClass {listed(classes)}; " if classes else ""
    nodes = "1 node has" if count == 1 else f"{count} nodes have"
    return Finding(_NAME, Status.OK, f"{exist}{nodes} the label {NODE_LABEL}=true")
