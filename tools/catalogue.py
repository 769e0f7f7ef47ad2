"""The Go tools of the tests and how each is built.

Each directory beside this file is a Go module; its go.mod and go.sum pin one group of tools.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Group:
    """Tools that share a go.mod.

    Attributes:
        module: the module whose pinned version is the version of the tools.
        stamps: linker assignments; {version}, {major} and {minor} are those of the pin.
        tags: Go build tags.
        needs: Debian packages for a build with C, each with a command that succeeds if the
            package is installed. A group without any is built without C.
        language: the Go version of a module that has no go.mod.
    """

    module: str
    stamps: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    language: str = ""


@dataclass(frozen=True)
class Tool:
    """A program: its group, its main package, the duration of a first build."""

    group: str
    package: str
    estimate: str


# Go modules have no git history, so `go build` alone leaves these versions empty or wrong.
GROUPS = {
    "kubernetes": Group(
        "k8s.io/kubernetes",
        tuple(
            f"{package}.{assignment}"
            for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
            for assignment in (
                "gitVersion={version}",
                "gitMajor={major}",
                "gitMinor={minor}",
                "gitTreeState=clean",
                "gitCommit=",
            )
        ),
    ),
    "etcd": Group("go.etcd.io/etcd/server/v3"),
    "helm": Group(
        "helm.sh/helm/v4",
        (
            "helm.sh/helm/v4/internal/version.version={version}",
            "helm.sh/helm/v4/internal/version.gitTreeState=clean",
        ),
    ),
    "helm3": Group(
        "helm.sh/helm/v3",
        (
            "helm.sh/helm/v3/internal/version.version={version}",
            "helm.sh/helm/v3/internal/version.gitTreeState=clean",
        ),
    ),
    "containerd": Group(
        "github.com/containerd/containerd/v2",
        ("github.com/containerd/containerd/v2/version.Version={version}",),
        tags=("no_btrfs", "no_devmapper", "no_zfs"),
    ),
    # Without seccomp, dockerd's default profile fails every container.
    "runc": Group(
        "github.com/opencontainers/runc",
        tags=("netgo", "osusergo", "seccomp"),
        needs={
            "gcc": ("gcc", "--version"),
            "pkg-config": ("pkg-config", "--version"),
            "libseccomp-dev": ("pkg-config", "--exists", "libseccomp"),
        },
    ),
    "cni": Group(
        "github.com/containernetworking/plugins",
        ("github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion={version}",),
    ),
    "moby": Group(
        "github.com/moby/moby/v2",
        ("github.com/moby/moby/v2/dockerversion.Version={version}",),
    ),
    "docker-cli": Group(
        "github.com/docker/cli",
        ("github.com/docker/cli/cli/version.Version={version}",),
        tags=("grpcnotrace",),
        language="go1.26",
    ),
    "buildx": Group(
        "github.com/docker/buildx",
        ("github.com/docker/buildx/version.Version={version}",),
    ),
    "kubeconform": Group("github.com/yannh/kubeconform", ("main.version={version}",)),
    "helm-unittest": Group("github.com/helm-unittest/helm-unittest"),
    "actionlint": Group(
        "github.com/rhysd/actionlint", ("github.com/rhysd/actionlint.version={version}",)
    ),
    "vale": Group(
        "github.com/vale-cli/vale/v3",
        ("main.version={version}",),
        tags=("netgo", "osusergo"),
        needs={"gcc": ("gcc", "--version")},
    ),
    "compose": Group(
        "github.com/docker/compose/v5",
        ("github.com/docker/compose/v5/internal.Version={version}",),
    ),
    "distribution": Group(
        "github.com/distribution/distribution/v3",
        ("github.com/distribution/distribution/v3/version.version={version}",),
    ),
}

_CONTAINERD = "github.com/containerd/containerd/v2/cmd"
_CNI = "github.com/containernetworking/plugins/plugins"

# Durations on two cores; the later tools of a group find most packages compiled.
TOOLS = {
    "kube-apiserver": Tool("kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver", "3 minutes"),
    "etcd": Tool("etcd", "go.etcd.io/etcd/server/v3", "20 seconds"),
    "kubectl": Tool("kubernetes", "k8s.io/kubernetes/cmd/kubectl", "20 seconds"),
    "kube-controller-manager": Tool(
        "kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager", "45 seconds"
    ),
    "kube-scheduler": Tool("kubernetes", "k8s.io/kubernetes/cmd/kube-scheduler", "10 seconds"),
    "helm": Tool("helm", "helm.sh/helm/v4/cmd/helm", "90 seconds"),
    "helm3": Tool("helm3", "helm.sh/helm/v3/cmd/helm", "90 seconds"),
    "kubelet": Tool("kubernetes", "k8s.io/kubernetes/cmd/kubelet", "15 seconds"),
    "kube-proxy": Tool("kubernetes", "k8s.io/kubernetes/cmd/kube-proxy", "10 seconds"),
    "containerd": Tool("containerd", f"{_CONTAINERD}/containerd", "40 seconds"),
    "containerd-shim-runc-v2": Tool(
        "containerd", f"{_CONTAINERD}/containerd-shim-runc-v2", "5 seconds"
    ),
    "ctr": Tool("containerd", f"{_CONTAINERD}/ctr", "5 seconds"),
    "runc": Tool("runc", "github.com/opencontainers/runc", "15 seconds"),
    "bridge": Tool("cni", f"{_CNI}/main/bridge", "10 seconds"),
    "loopback": Tool("cni", f"{_CNI}/main/loopback", "5 seconds"),
    "host-local": Tool("cni", f"{_CNI}/ipam/host-local", "5 seconds"),
    "portmap": Tool("cni", f"{_CNI}/meta/portmap", "5 seconds"),
    "dockerd": Tool("moby", "github.com/moby/moby/v2/cmd/dockerd", "2 minutes"),
    "docker-proxy": Tool("moby", "github.com/moby/moby/v2/cmd/docker-proxy", "5 seconds"),
    "docker": Tool("docker-cli", "github.com/docker/cli/cmd/docker", "15 seconds"),
    "docker-buildx": Tool("buildx", "github.com/docker/buildx/cmd/buildx", "2 minutes"),
    "kubeconform": Tool(
        "kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform", "10 seconds"
    ),
    "helm-unittest": Tool(
        "helm-unittest", "github.com/helm-unittest/helm-unittest/cmd/helm-unittest", "1 minute"
    ),
    "actionlint": Tool("actionlint", "github.com/rhysd/actionlint/cmd/actionlint", "1 minute"),
    "vale": Tool("vale", "github.com/vale-cli/vale/v3/cmd/vale", "1 minute"),
    "docker-compose": Tool("compose", "github.com/docker/compose/v5/cmd", "1 minute"),
    "registry": Tool(
        "distribution", "github.com/distribution/distribution/v3/cmd/registry", "5 minutes"
    ),
}

# What every test with an API server needs; helm renders the MutatingWebhookConfiguration.
CONTROL_PLANE = ("etcd", "kube-apiserver", "kubectl", "helm")
