"""Flags and configuration files of the cluster's processes."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from node.holder import NODE_ADDRESS, SERVICE_RANGE
from node.images import PAUSE

from tools.build import ensure

NODE = "node"
API_PORT = 6443
API_SERVICE_ADDRESS = "10.96.0.1"
POD_MTU = 1450
POD_RANGE = "10.244.0.0/16"

_ETCD = "http://127.0.0.1:2379"  # loopback of the node's own network namespace

# Each process has its own user, so that the roles that Kubernetes ships are used too.
USERS = {
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
    "kube-proxy": ("system:kube-proxy", ""),
    "kubelet": (f"system:node:{NODE}", "system:nodes"),
}

# Process -> its flags. Files are in the working directory.
FLAGS: Mapping[str, Sequence[str]] = {
    "etcd": (
        "--data-dir=etcd",
        f"--listen-client-urls={_ETCD}",
        f"--advertise-client-urls={_ETCD}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ),
    "kube-apiserver": (
        f"--etcd-servers={_ETCD}",
        f"--advertise-address={NODE_ADDRESS}",
        f"--secure-port={API_PORT}",
        "--tls-cert-file=serving.pem",
        "--tls-private-key-file=serving.pem",
        "--token-auth-file=tokens.csv",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-account-key-file=accounts.key",
        "--service-account-signing-key-file=accounts.key",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--kubelet-client-certificate=serving.pem",
        "--kubelet-client-key=serving.pem",
        "--kubelet-certificate-authority=ca.crt",
        "--kubelet-preferred-address-types=InternalIP",
        "--allow-privileged=true",
        "--enable-aggregator-routing=true",  # webhooks behind a Service: call its endpoints
    ),
    "kube-controller-manager": (
        "--kubeconfig=kube-controller-manager.kubeconfig",
        "--service-account-private-key-file=accounts.key",
        "--root-ca-file=ca.crt",
        "--kube-api-qps=1000",  # the default limit would take most of its start
        "--kube-api-burst=1000",
        "--use-service-account-credentials=true",  # each controller has a role of its own
        "--leader-elect=false",
    ),
    "kube-scheduler": ("--kubeconfig=kube-scheduler.kubeconfig", "--leader-elect=false"),
    "kubelet": (
        "--config=kubelet.json",
        "--kubeconfig=kubelet.kubeconfig",
        f"--hostname-override={NODE}",
        f"--node-ip={NODE_ADDRESS}",
    ),
    "kube-proxy": ("--config=kube-proxy.json",),
    "containerd": ("--config=containerd.toml",),
}


def kubelet(directory: Path, control_group: str) -> dict[str, Any]:
    """The kubelet's configuration.

    Args:
        directory: the directory of the node's files.
        control_group: the cgroup, in each hierarchy, of all pods.
    """
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "authentication": {"x509": {"clientCAFile": str(directory / "ca.crt")}},
        "authorization": {"mode": "AlwaysAllow"},
        "tlsCertFile": str(directory / "serving.pem"),
        "tlsPrivateKeyFile": str(directory / "serving.pem"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{control_group}",
        "failCgroupV1": False,
        "failSwapOn": False,
        # Fails instead of changing a setting of the machine.
        "protectKernelDefaults": True,
        "syncFrequency": "2s",  # how soon a running pod sees a changed ConfigMap
        "resolvConf": str(directory / "resolv.conf"),
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1Gi"},
        # Never removes images: the machine's disk may be fuller than a node's should be.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        # Otherwise an image that a test has pulled is pulled again under its other names.
        "imagePullCredentialsVerificationPolicy": "NeverVerify",
    }


def proxy(directory: Path) -> dict[str, Any]:
    """kube-proxy's configuration, which does not change the machine's conntrack settings."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": str(directory / "kube-proxy.kubeconfig")},
        "hostnameOverride": NODE,
        "conntrack": {"maxPerCore": 0, "min": 0},
    }


def containerd(cni_settings: Path = Path("/nonexistent")) -> str:
    """The configuration of containerd, TOML.

    Args:
        cni_settings: the directory of the CNI configuration.
    """
    return f"""\
version = 3

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = '{PAUSE}'

[plugins.'io.containerd.cri.v1.runtime']
# Lowering an OOM score needs a capability that root may lack in a container.
restrict_oom_score_adj = true

[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ['{ensure("bridge").parent}']
conf_dir = '{cni_settings}'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
BinaryName = '{ensure("runc")}'
"""


def containerd_environment() -> dict[str, str]:
    """The environment in which containerd finds its shim."""
    return {"PATH": f"{ensure('containerd-shim-runc-v2').parent}:{os.environ['PATH']}"}


POD_NETWORK: Mapping[str, Any] = {
    "cniVersion": "1.0.0",
    "name": "pods",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "pods",
            "isGateway": True,
            "isDefaultGateway": True,
            "hairpinMode": True,  # a pod may reach itself through its Service
            "mtu": POD_MTU,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": POD_RANGE}]]},
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}
