"""Stand-ins for common images, made of Debian packages and the pinned tools.

They have the names of the originals, so that manifests need no change. As in Alpine images, the
shell is busybox ash and /var/run is a link to /run.
"""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from node import archive, client_images, debian
from node.archive import Image, Layer

from tools.build import ensure, module_file
from tools.cache import made_once

BUSYBOX = "busybox:1.35"
CLI = "docker:29-cli"
CLI_WITHOUT_LINK = "docker:29-cli-without-link"  # /var/run is a directory of its own
CLI_WITH_FILES = "docker:29-cli-with-files-in-run"  # as the images of MariaDB and sshd have them
DIND = "docker:29-dind"
DIND_BEFORE_29_9 = "docker:29-dind-before-29.9"  # makes no cgroup namespace
DIND_WITHOUT_IPTABLES = "docker:29-dind-no-iptables"  # a broken image
PAUSE = "pause:3.10"
PYTHON = "python:3.11-slim"
PYTHON_CLIENTS = "python-clients:test"
REGISTRY = "registry:3"

# In the base image beside the dynamic busybox, which resolves names: this one runs FROM scratch.
STATIC_BUSYBOX = "/usr/local/lib/busybox-static"

NAMES = (
    *(BUSYBOX, CLI, CLI_WITHOUT_LINK, CLI_WITH_FILES, DIND, DIND_WITHOUT_IPTABLES),
    *(PAUSE, PYTHON, PYTHON_CLIENTS, REGISTRY),
)

_SCRIPTS = Path(__file__).parent / "images"
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PLUGINS = "/usr/local/libexec/docker/cli-plugins"

_BASE_PACKAGES = ("busybox", "libc6", "tini")
_STATIC_PACKAGES = ("busybox-static",)
_IPTABLES_PACKAGES = (
    "iptables",
    "libip4tc2",
    "libip6tc2",
    "libmnl0",
    "libnetfilter-conntrack3",
    "libnfnetlink0",
    "libnftnl11",
    "libxtables12",
    "netbase",
)
# mountpoint, for Docker's wrapper script; unshare, for the entrypoint; flock, for dind-store.sh.
_UTIL_LINUX_PACKAGES = (
    "libblkid1",
    "libcap-ng0",
    "libmount1",
    "libpcre2-8-0",
    "libselinux1",
    "libsmartcols1",
    "libtinfo6",
    "util-linux",
)
_PYTHON_PACKAGES = (
    "ca-certificates",
    "libbz2-1.0",
    "libexpat1",
    "libffi8",
    "libgcc-s1",
    "liblzma5",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libssl3",
    "libstdc++6",
    "libuuid1",
    "media-types",
    "python3-pip-whl",
    "python3.11",
    "python3.11-minimal",
    "tzdata",
    "zlib1g",
)

_PACKAGES = (
    _BASE_PACKAGES,
    _STATIC_PACKAGES,
    _IPTABLES_PACKAGES,
    _UTIL_LINUX_PACKAGES,
    _PYTHON_PACKAGES,
)

_TOOLS = (
    "docker",
    "docker-buildx",
    "docker-compose",
    "dockerd",
    "docker-proxy",
    "containerd",
    "containerd-shim-runc-v2",
    "ctr",
    "runc",
    "registry",
)


def image_archive(names: Sequence[str] = NAMES) -> Path:
    """Returns a docker-archive with these images, made by the first call.

    Raises:
        ToolMissing: something must be installed first; the message says what.
        BuildFailed: a tool could not be built or a package not downloaded.
    """
    pins = [
        *(str(_tree(group)).encode() for group in _PACKAGES),
        *(str(ensure(tool)).encode() for tool in _TOOLS),
        *(file.read_bytes() for file in sorted(_SCRIPTS.iterdir())),
        Path(__file__).read_bytes(),
        Path(archive.__file__).read_bytes(),
        Path(client_images.__file__).read_bytes(),
        " ".join(names).encode(),
    ]

    def make(directory: Path) -> None:
        images = {name: image for name, image in _images().items() if name in names}
        archive.write(directory / "images.tar", images, debian.architecture())

    return made_once("images", pins, make) / "images.tar"


def _tree(packages: tuple[str, ...]) -> Path:
    return debian.trees(_PACKAGES)[packages]


def _images() -> dict[str, Image]:
    base, docker_cli = _base({"/var/run": "/run"}), _docker_cli()
    cli = [base, docker_cli]
    daemon = [*cli, _docker_daemon()]
    python = [base, _python()]
    cli_config = {
        "Env": [_PATH, "DOCKER_TLS_CERTDIR=/certs"],
        "Entrypoint": ["docker-entrypoint.sh"],
        "Cmd": ["sh"],
    }
    daemon_config = {
        "Env": [_PATH, "DOCKER_TLS_CERTDIR=/certs"],
        "Entrypoint": ["dockerd-entrypoint.sh"],
        "Volumes": {"/var/lib/docker": {}},
    }
    return {
        BUSYBOX: Image([base], {"Env": [_PATH], "Cmd": ["sh"]}),
        # tini, because process 1 must end on SIGTERM and reap orphans.
        PAUSE: Image([base], {"Entrypoint": ["/usr/bin/tini-static", "sleep", "infinity"]}),
        CLI: Image(cli, cli_config),
        CLI_WITHOUT_LINK: Image([_base({}), docker_cli], cli_config),
        CLI_WITH_FILES: Image([*cli, Layer(texts={"/run/app/settings": "kept\n"})], cli_config),
        DIND: Image([*daemon, _iptables()], daemon_config),
        DIND_BEFORE_29_9: Image([*daemon, _iptables(), _older_entrypoint()], daemon_config),
        DIND_WITHOUT_IPTABLES: Image(daemon, daemon_config),
        PYTHON: Image(python, {"Env": [_PATH], "Cmd": ["python3"]}),
        PYTHON_CLIENTS: Image(
            [*python, client_images.python_clients()], {"Env": [_PATH], "Cmd": ["python3"]}
        ),
        REGISTRY: Image(
            [base, Layer(files={"/bin/registry": ensure("registry")})],
            {
                # As in the original: without it, the registry looks for an OTLP collector.
                "Env": [_PATH, "OTEL_TRACES_EXPORTER=none"],
                "Entrypoint": ["registry"],
                "Cmd": ["serve", "/etc/distribution/config.yml"],
                "Volumes": {"/var/lib/registry": {}},
            },
        ),
    }


def _base(links: Mapping[str, str]) -> Layer:
    tree = _tree(_BASE_PACKAGES)
    return Layer(
        trees=[tree],
        files={STATIC_BUSYBOX: _tree(_STATIC_PACKAGES) / "bin/busybox"},
        links={**links, **dict.fromkeys(_applets(tree), "/bin/busybox")},
        texts={
            "/etc/passwd": (
                "root:x:0:0:root:/root:/bin/sh\n"
                "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
            ),
            "/etc/group": "root:x:0:\ndocker:x:2375:\nnogroup:x:65534:\n",
        },
        directories={"/root": 0o700, "/run": 0o755, "/tmp": 0o1777, "/etc": 0o755},
    )


def _applets(tree: Path) -> list[str]:
    listed = subprocess.run(
        [tree / "bin/busybox", "--list"], capture_output=True, text=True, check=True
    )
    # The applets of dpkg would be mistaken for the real programs.
    skipped = {"busybox", "dpkg", "dpkg-deb", "rpm", "rpm2cpio", "init", "linuxrc"}
    return [f"/bin/{name}" for name in listed.stdout.split() if name not in skipped]


def _docker_cli() -> Layer:
    return Layer(
        files={
            "/usr/local/bin/docker": ensure("docker"),
            f"{_PLUGINS}/docker-buildx": ensure("docker-buildx"),
            f"{_PLUGINS}/docker-compose": ensure("docker-compose"),
            "/usr/local/bin/docker-entrypoint.sh": _SCRIPTS / "docker-entrypoint.sh",
        }
    )


def _docker_daemon() -> Layer:
    containerd = ("containerd", "containerd-shim-runc-v2", "ctr")
    tools = ("dockerd", "docker-proxy", *containerd, "runc")
    return Layer(
        trees=[_tree(_UTIL_LINUX_PACKAGES)],
        files={
            "/usr/local/bin/dind": module_file("moby", "hack/dind"),
            "/usr/local/bin/dockerd-entrypoint.sh": _SCRIPTS / "dockerd-entrypoint.sh",
            **{f"/usr/local/bin/{tool}": ensure(tool) for tool in tools},
        },
        links={"/usr/local/bin/docker-init": "/usr/bin/tini-static"},
    )


def _older_entrypoint() -> Layer:
    script = _SCRIPTS / "dockerd-entrypoint-before-29.9.sh"
    return Layer(files={"/usr/local/bin/dockerd-entrypoint.sh": script})


def _iptables() -> Layer:
    return Layer(
        trees=[_tree(_IPTABLES_PACKAGES)],
        # As Debian's update-alternatives creates them.
        links={
            f"/usr/sbin/{ip}tables{suffix}": "xtables-nft-multi"
            for ip in ("ip", "ip6")
            for suffix in ("", "-save", "-restore")
        },
    )


def _python() -> Layer:
    tree = _tree(_PYTHON_PACKAGES)
    wheel = next((tree / "usr/share/python-wheels").glob("pip-*.whl"))
    return Layer(
        trees=[tree],
        texts={
            # pip runs from its own wheel, the smallest pip that Debian has.
            "/usr/lib/python3/dist-packages/pip.pth": f"/usr/share/python-wheels/{wheel.name}\n",
            "/usr/local/bin/pip": '#!/bin/sh\nexec python3 -m pip "$@"\n',
        },
        links={
            "/usr/local/bin/python": "/usr/bin/python3.11",
            "/usr/local/bin/python3": "/usr/bin/python3.11",
        },
    )
