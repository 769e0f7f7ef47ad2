"""What each key of the operator's file means; feeds the JSON Schema and docs/configuration.md."""

from collections.abc import Mapping

from webhook.config.image import REFERENCE_PATTERN
from webhook.config.models import NAME_PATTERN
from webhook.config.quantity import PATTERN as QUANTITY_PATTERN

#: By the name of the type, then by the key.
MEANINGS: Mapping[str, Mapping[str, str]] = {
    "Config": {
        "defaultProfile": "The profile of pods that name none.",
        "profiles": "Profiles by name. Where the default profile is called `default`, its absence "
        "here means the built-in one.",
        "policy": "What pods may ask for.",
    },
    "Profile": {
        "mode": "`sidecar` runs a daemon in the pod, `node` uses the one of the node.",
        "image": "The daemon's image. Pin it by digest.",
        "imagePullSecrets": "Secrets, in the pod's own namespace, that pull the image.",
        "resources": "The sidecar's resources.",
        "storage": "The image store, an emptyDir at /var/lib/docker.",
        "daemon": "dockerd's settings.",
        "socket": "Where the socket is, and who may use it.",
        "startTimeout": "Seconds until a daemon that does not answer has failed.",
        "mirrorMounts": "Mount the containers' own emptyDirs and claims in the daemon, at the same "
        'paths, so that `docker run -v "$PWD":/w` means what it says.',
        "privileged": "Run the sidecar privileged. `false` needs a runtimeClassName.",
        "runtimeClassName": "The pod's runtime class, such as sysbox or kata.",
        "placement": "`initContainer` makes a native sidecar, which is ready before the pod's "
        "containers start; `container` is for runtimes without native sidecars.",
    },
    "SecretReference": {"name": "The Secret's name."},
    "Resources": {
        "requests": "What the scheduler reserves.",
        "limits": "What the kubelet enforces. No CPU limit by default: throttling helps nobody.",
    },
    "ResourceList": {
        "cpu": "Cores.",
        "memory": "Bytes; builds run within it.",
        "ephemeral-storage": "Bytes on the node's disk.",
    },
    "Storage": {
        "sizeLimit": "Bytes; a pod that goes over it is evicted.",
        "medium": 'Empty for the node\'s disk; "Memory" counts against the memory limit.',
    },
    "Daemon": {
        "registryMirrors": "Mirrors of Docker Hub (--registry-mirror).",
        "insecureRegistries": "Registries without TLS that can be trusted (--insecure-registry).",
        "defaultAddressPools": "Networks of the daemon's bridges (--default-address-pool).",
        "mtu": "MTU of the daemon's bridges; `auto` takes the pod's own.",
        "extraArgs": "More flags of dockerd.",
    },
    "AddressPool": {
        "base": "The network to cut, such as 10.200.0.0/16.",
        "size": "Prefix length of each subnet.",
    },
    "Socket": {
        "directory": "The socket's folder. Without it /var/run in mode sidecar, and /var/run/dind "
        "in mode node.",
        "gid": "Group that may use the socket; the pod gets it as a supplemental group.",
    },
    "Policy": {
        "annotations": "Names below `dind.io/` that a pod may use, beside `inject`.",
        "images": "Patterns for `dind.io/image`; `*` stays within one part of the path, `**` does "
        "not.",
        "maximum": "The most that a pod may ask for.",
        "profiles": "Profiles by namespace pattern. Empty: every profile everywhere; otherwise a "
        "namespace that no pattern matches may use the default profile only.",
    },
    "Maximum": {
        "cpu": "Bound of `dind.io/cpu`; without it there is none.",
        "memory": "Bound of `dind.io/memory`; without it there is none.",
        "storage": "Bound of `dind.io/storage`; without it there is none.",
    },
}

QUANTITY = "a Kubernetes quantity such as 500m or 4Gi"

#: What a regular expression of the schema allows, for people.
PATTERNS: Mapping[str, str] = {
    QUANTITY_PATTERN: QUANTITY,
    REFERENCE_PATTERN: "an image reference such as docker:29-dind",
    NAME_PATTERN: "a name of lower-case letters, digits and inner hyphens, at most 63",
}

#: The same for patterns that one key alone has.
PATTERNS_OF_KEYS: Mapping[str, str] = {
    "Daemon.registryMirrors": "a URL such as https://mirror.example.com",
    "Daemon.insecureRegistries": "a registry such as registry.example.com:5000, or a network",
    "Daemon.extraArgs": "a flag such as --debug or --log-level=warn",
    "Socket.directory": "an absolute path such as /var/run/dind",
}
