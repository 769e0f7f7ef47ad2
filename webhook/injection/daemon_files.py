"""Files that dind-start.sh writes before dockerd starts, and the rest of the daemon's environment.

A file is a variable of the sidecar, so that the pod's spec shows it: `DIND_FILE_0`, `DIND_FILE_1`,
and so on. The first line is the path; the other lines are the content. A directory of a
basic-auth Secret may follow the path. The script then writes the credentials in place of `@AUTH@`,
so that the pod's spec does not contain them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from webhook.config import EVERY_REGISTRY, Profile, Registry
from webhook.config.certificates import CERTIFICATES_READ
from webhook.config.daemon import daemon_json
from webhook.injection.builder_files import builder_files

FILE_VARIABLE = "DIND_FILE_"
#: Keys of the Docker client's config.json, for client_config.
PROXIES_FILE = "/var/dind/proxies.json"
_CREDENTIALS_DIRECTORY = "/var/dind/registry-credentials"
CREDENTIALS_FILE = f"{_CREDENTIALS_DIRECTORY}/config.json"
_CREDENTIALS_VOLUME = "dind-registry-credentials"
_AUTH_VOLUME = "dind-registry-auth"
CERTIFICATES_OF_DAEMON = f"{CERTIFICATES_READ}/dind-webhook-ca.pem"
CERTIFICATES_OF_JOB = "ca.crt"
_REGISTRIES = "/etc/docker/certs.d"
# A firewall may drop packets to the registry, and dockerd asks it for what a mirror lacks: also, in
# each pull, for referrers. containerd's own timeout is 30 s. DNS may take 5 s (resolv.conf(5)).
_DIAL_TIMEOUT = 'dial_timeout = "10s"'
_CAPABILITIES = '["pull", "resolve", "referrers"]'  # without the last one, pulls ask the registry


class SecretFiles(Struct, frozen=True):
    """A Secret whose files the sidecar reads; a pod whose namespace lacks it does not start.

    Attributes:
        secret: its name.
        directory: where the sidecar has the files.
        volume: default name of the volume.
        items: the keys of the Secret that it must have, with the names of their files; empty: all.
    """

    secret: str
    directory: str
    volume: str
    items: Sequence[dict[str, str]] = ()

    def to_volume(self, name: str) -> dict[str, Any]:
        """The volume, by its name in the pod."""
        items = {"items": list(self.items)} if self.items else {}
        return {
            "name": name,
            "secret": {"secretName": self.secret, **items, "defaultMode": 0o400},
        }

    def to_mount(self, name: str) -> dict[str, Any]:
        """The mount of the volume."""
        return {"name": name, "mountPath": self.directory, "readOnly": True}


def environment(
    profile: Profile, socket_directory: str, *, is_store_shared: bool = False
) -> list[dict[str, str]]:
    """The variables of the sidecar, empty for a profile without any of these settings."""
    files = enumerate(_files(profile, socket_directory, is_store_shared=is_store_shared))
    variables = {f"{FILE_VARIABLE}{number}": text for number, text in files}
    variables |= profile.daemon.proxy.variables()
    variables |= profile.daemon.env
    return [variable(name, value) for name, value in variables.items()]


def variable(name: str, value: str) -> dict[str, str]:
    """A variable of a container that has this value, with all dollar signs."""
    # Kubernetes replaces $(NAME), and writes one dollar for two.
    return {"name": name, "value": value.replace("$", "$$")}


def secrets(profile: Profile, *, with_credentials: bool) -> list[SecretFiles]:
    """The profile's Secrets with credentials for registries.

    Args:
        profile: the profile.
        with_credentials: a container of the job gets `registryCredentials`.
    """
    names = [each.auth_secret for each in profile.registries.values() if each.auth_secret]
    files = [
        SecretFiles(name, _secret_directory(name), _AUTH_VOLUME) for name in dict.fromkeys(names)
    ]
    credentials = profile.registry_credentials
    if credentials and with_credentials:
        items = [{"key": ".dockerconfigjson", "path": "config.json"}]
        name = credentials.secret_name
        files.append(SecretFiles(name, _CREDENTIALS_DIRECTORY, _CREDENTIALS_VOLUME, items))
    return files


def _secret_directory(secret: str) -> str:
    return f"/var/dind/registry-auth/{secret}"


def _files(profile: Profile, socket_directory: str, *, is_store_shared: bool) -> Iterator[str]:
    for host, registry in profile.registries.items():
        directory = f"{_REGISTRIES}/{'_default' if host == EVERY_REGISTRY else host}"
        if registry.ca:
            yield f"{directory}/ca.crt\n{registry.ca}"
        secret = f" {_secret_directory(registry.auth_secret)}" if registry.auth_secret else ""
        yield f"{directory}/hosts.toml{secret}\n{hosts_toml(host, registry)}"
    if profile.ca_certificates:
        yield f"{CERTIFICATES_OF_DAEMON}\n{profile.ca_certificates}"
        if profile.job_certificates.file:
            yield f"{socket_directory}/{CERTIFICATES_OF_JOB}\n{profile.ca_certificates}"
    if config := _daemon_config(profile, is_store_shared=is_store_shared):
        yield f"/etc/docker/daemon.json\n{daemon_json(config)}"
    for path, content in builder_files(profile.registries, socket_directory):
        yield f"{path}\n{content}"
    if proxies := profile.daemon.proxy.of_clients():
        yield f"{PROXIES_FILE}\n{json.dumps({'proxies': {'default': proxies}})}"


def _daemon_config(profile: Profile, *, is_store_shared: bool) -> Mapping[str, object]:
    """The content of daemon.json: the profile's, and a bound for the build cache of shared stores.

    Without it, BuildKit's cache may use most of the node's disk. Half of what a store may keep
    leaves room for images. dockerd also deletes unused cache only after a build. The keys are those
    of Docker 28 and later. Source: moby, daemon/config/builder.go.
    """
    config = profile.daemon.config
    is_read = not any(flag.startswith("--config-file") for flag in profile.daemon.extra_args)
    if not is_store_shared or "builder" in config or not is_read:
        return config
    bound = str(profile.storage.keep_bytes() // 2)
    policy = {"defaultReservedSpace": bound, "defaultMaxUsedSpace": bound}
    return {**config, "builder": {"gc": {"enabled": True, **policy}}}


def hosts_toml(host: str, registry: Registry) -> str:
    """The file that dockerd reads at each pull. Source: containerd, docs/hosts.md.

    It names a server for an insecure registry only: with http:// and a setting of TLS, dockerd
    tries HTTPS first. Without a server, dockerd asks the registry itself after the mirrors.
    """
    lines = []
    if registry.insecure:
        lines += [f"server = {json.dumps(f'http://{host}')}", "skip_verify = true"]
    if registry.ca:
        lines.append('ca = "ca.crt"')
    if registry.mirrors:
        lines.append(_DIAL_TIMEOUT)
    authorization = 'Authorization = "Basic @AUTH@"'
    if registry.auth_secret and not registry.mirrors:
        lines += ["[header]", authorization]
    for mirror in registry.mirrors:
        table = f"host.{json.dumps(mirror.url)}"
        lines += ["", f"[{table}]", f"capabilities = {_CAPABILITIES}", _DIAL_TIMEOUT]
        if mirror.override_path:
            lines.append("override_path = true")
        if registry.ca and mirror.url.startswith("https:"):
            lines.append('ca = "ca.crt"')
        if registry.auth_secret:
            lines += [f"[{table}.header]", authorization]
    return "\n".join([*lines, ""]).lstrip()
