"""dockerd's settings."""

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from webhook import __version__
from webhook.config.base import Located, Model, by_name, reject
from webhook.config.certificates import LARGEST_FILE
from webhook.config.fields import (
    Accepts,
    Flag,
    Image,
    Mtu,
    Network,
    PrefixLength,
    UnprivilegedPort,
    VariableName,
)
from webhook.config.resources import ExporterResources
from webhook.config.urls import check_url

#: What a proxy is not asked for: this pod, the cluster's names, and private networks, in which
#: pods, Services and nodes are. Go compares networks with addresses only, never with names.
NO_PROXY = (
    *("localhost", "127.0.0.0/8", "::1", ".svc", ".cluster.local"),
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"),
)
_LONGEST_VALUE = 4096  # characters of a variable
_MOST_WITHOUT_PROXY = 400  # of at most 256 characters, in one variable (MAX_ARG_STRLEN)
# Keys of daemon.json that dockerd rejects beside a flag of the sidecar, or that contradict its
# mounts, and the key of the profile for the same. Source: moby, daemon/command/config*.go.
_KEYS_OF_PROFILE = {
    "hosts": "socket.directory",
    "group": "socket.gid",
    "pidfile": None,
    "exec-root": None,
    "data-root": "storage",
    "mtu": "daemon.mtu",
    "default-network-opts": "daemon.mtu, and daemon.extraArgs with --default-network-opt",
    "default-address-pools": "daemon.defaultAddressPools",
    "registry-mirrors": "registries",
    "insecure-registries": "registries",
    "proxies": "daemon.proxy",
    "http-proxy": "daemon.proxy",
    "https-proxy": "daemon.proxy",
    "no-proxy": "daemon.proxy",
}


def not_in_mode_node(chart_value: str) -> str:
    """Say what configures the daemon of the node instead of a key."""
    return (
        f"not accepted in mode node (accepted for the node's daemon: the chart value {chart_value})"
    )


def _proxy_url(url: str) -> str:
    """Reject credentials, which everyone who can read pods would see."""
    if "@" in url:
        raise ValueError("the URL contains a user or a password, which pod specs would show")
    check_url(url)
    return url


ProxyUrl = Annotated[
    str,
    Field(pattern=r"^(https?|socks5h?)://[A-Za-z0-9._:\[\]@%-]+/?$", max_length=_LONGEST_VALUE),
    Accepts("the URL of a proxy (such as http://proxy.example.com:3128)"),
    AfterValidator(_proxy_url),
]
NoProxy = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9.:/*_\[\]-]+$", max_length=256),
    Accepts("a host, a domain, an address or a network (such as .example.com or 10.0.0.0/8)"),
]
VariableValue = Annotated[
    str,
    Field(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=_LONGEST_VALUE),
    Accepts(f"a string of at most {_LONGEST_VALUE} characters without control characters"),
]
DaemonConfig = Annotated[
    dict[str, object], Accepts("a mapping, as in daemon.json (such as {log-driver: local})")
]


class AddressPool(Model):
    """Networks from which the daemon cuts its bridges' subnets (--default-address-pool)."""

    base: Network = Field(description="The network to divide, such as 10.200.0.0/16.")
    size: PrefixLength = Field(description="Prefix length of each subnet.")

    @field_validator("size")
    @classmethod
    def _fits_base(cls, size: int, info: ValidationInfo) -> int:
        """Reject what dockerd rejects at its start, in every pod."""
        if "base" in info.data:
            network = ipaddress.ip_network(info.data["base"])
            if not network.prefixlen <= size <= network.max_prefixlen:
                raise ValueError(
                    f"{size} does not fit base {network} "
                    f"(accepted: from {network.prefixlen} to {network.max_prefixlen})"
                )
        return size


class Proxy(Model):
    """The proxy of the daemon, and of the Docker clients in the job."""

    http: ProxyUrl | None = Field(default=None, description="The proxy for http:// (HTTP_PROXY).")
    https: ProxyUrl | None = Field(
        default=None, description="The proxy for https:// (HTTPS_PROXY)."
    )
    no_proxy: tuple[NoProxy, ...] = Field(
        default=NO_PROXY,
        max_length=_MOST_WITHOUT_PROXY,
        description="What the daemon reaches without the proxy (NO_PROXY). A list of your own "
        "replaces the default.",
    )
    client: bool = Field(
        default=True,
        description="Configure the Docker clients of the containers that get the socket, so that "
        "`docker build` and `docker run` pass the proxy on.",
    )

    def variables(self) -> dict[str, str]:
        """The daemon's environment, empty without a proxy."""
        proxies = {"HTTP_PROXY": self.http, "HTTPS_PROXY": self.https}
        found = {name: url for name, url in proxies.items() if url is not None}
        return {**found, "NO_PROXY": ",".join(self.no_proxy)} if found else {}

    def of_clients(self) -> dict[str, str]:
        """The proxies in the Docker client's config.json, empty if clients get none.

        Source: docker/cli, cli/config/configfile.
        """
        if not (self.client and self.variables()):
            return {}
        proxies = {"httpProxy": self.http, "httpsProxy": self.https}
        found = {name: url for name, url in proxies.items() if url is not None}
        return {**found, "noProxy": ",".join(self.no_proxy)}


class Metrics(Model):
    """The exporter: a native sidecar beside the daemon, with metrics of what runs in it."""

    image: Image = Field(
        default=f"dind-webhook:{__version__}",
        description="An image of dind-webhook; the chart sets its own. Pin it by digest.",
    )
    port: UnprivilegedPort = Field(
        default=9323,
        description="The port of /metrics, on all addresses of the pod.",
    )
    resources: ExporterResources = Field(
        default=ExporterResources(), description="The exporter's resources."
    )


class Daemon(Model):
    """dockerd's settings."""

    default_address_pools: tuple[AddressPool, ...] = Field(
        default=(), description="Networks of the daemon's bridges (--default-address-pool)."
    )
    mtu: Mtu = Field(
        default="auto", description="MTU of the daemon's bridges; `auto` takes the pod's own."
    )
    extra_args: tuple[Flag, ...] = Field(default=(), description="More flags of dockerd.")
    proxy: Proxy = Field(default=Proxy(), description="The proxy for the daemon and its clients.")
    env: dict[VariableName, VariableValue] = Field(
        default={},
        json_schema_extra=by_name,
        description="More variables of the daemon's environment. Never a password: pod specs are "
        "readable.",
    )
    config: DaemonConfig = Field(
        default={},
        description="The content of /etc/docker/daemon.json. It replaces that of the image. Keys "
        "that contradict a flag are rejected.",
    )
    metrics: Metrics | None = Field(
        default=None,
        description="Export metrics of the daemon: its start, pulls, builds, cache hits and disk "
        "use. `{}` sets the defaults. Without it, pods have no exporter.",
    )

    @field_validator("env")
    @classmethod
    def _has_no_key_of_its_own(cls, env: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        proxy = info.data.get("proxy", Proxy())
        problems: list[Located] = []
        for name in env:
            if name.startswith("DIND_"):
                problems.append(
                    ((name,), "names that begin with DIND_ are the sidecar's; remove it")
                )
            elif name.upper() in proxy.variables():
                problems.append(((name,), "is set by daemon.proxy; remove it here or there"))
        reject(problems)
        return env

    @field_validator("config")
    @classmethod
    def _has_no_key_of_a_flag(cls, config: DaemonConfig, info: ValidationInfo) -> DaemonConfig:
        """Reject what dockerd rejects at its start, in every pod, and what it would not read."""
        problems = list(_conflicts(config, info.data.get("extra_args", ())))
        reject(problems)
        size = len(daemon_json(config))
        if size > LARGEST_FILE:
            raise ValueError(f"{size} bytes of JSON (accepted: at most {LARGEST_FILE})")
        return config

    @field_validator("metrics")
    @classmethod
    def _has_a_port_of_its_own(
        cls, metrics: Metrics | None, info: ValidationInfo
    ) -> Metrics | None:
        """Reject the port at which dockerd would serve metrics of its own."""
        flags = [flag.partition("=") for flag in info.data.get("extra_args", ())]
        addresses = [address for name, _, address in flags if name == "--metrics-addr"]
        addresses.append(str(info.data.get("config", {}).get("metrics-addr", "")))
        if metrics and any(each.endswith(f":{metrics.port}") for each in addresses):
            text = (
                f"{metrics.port} is the port of dockerd's own metrics, by metrics-addr; use another"
            )
            reject([(("port",), text)])
        return metrics

    def of_the_node(self) -> list[Located]:
        """Problems of the keys that have no effect on the node's daemon."""
        found = (
            ("proxy", self.proxy.variables(), "node.env"),
            ("env", self.env, "node.env"),
            ("config", self.config, "node.files"),
            ("metrics", self.metrics is not None, "node.extraArgs with --metrics-addr"),
        )
        return [((key,), not_in_mode_node(instead)) for key, value, instead in found if value]


def daemon_json(config: Mapping[str, object]) -> str:
    """The content of daemon.json, in ASCII."""
    return json.dumps(config, indent=2) + "\n"


def _conflicts(config: DaemonConfig, extra_args: Sequence[str]) -> Iterator[Located]:
    """Find flags of the sidecar that are also keys of daemon.json, or replace the file."""
    flags = {_key_of_flag(flag): flag.partition("=")[0] for flag in extra_args}
    if config and "config-file" in flags:
        text = "dockerd would not read it with --config-file in daemon.extraArgs; remove one"
        yield (), text
    for key in config:
        if key in _KEYS_OF_PROFILE:
            instead = _KEYS_OF_PROFILE[key]
            accepted = f" (accepted: {instead})" if instead else "; remove it"
            yield (key,), f"is a setting of the sidecar{accepted}"
        elif key in flags:
            yield (key,), f"is also set by daemon.extraArgs, with {flags[key]}; remove one"


def _key_of_flag(flag: str) -> str:
    """The key of daemon.json for a flag. Source: moby, daemon/command/config*.go."""
    name = flag.removeprefix("--").partition("=")[0]
    if name == "add-runtime":
        return "runtimes"
    is_list = re.search(
        r"(-opt|-plugin|-dir|-ip|-resource|-ulimit|^label|^host|^feature|-pool|-mirror)$", name
    )
    return f"{name}s" if is_list else name
