"""Registries: their mirrors, CAs and credentials, which dockerd reads from hosts.toml.

Sources: containerd, docs/hosts.md; moby, daemon/hosts.go.
"""

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from webhook.config.base import Model, reject
from webhook.config.certificates import Certificates
from webhook.config.fields import Accepts, SecretName
from webhook.config.urls import check_url
from webhook.config.wording import shown

#: The key for every registry that has no entry.
EVERY_REGISTRY = "*"
_DOCKER_HUB = "docker.io"
_NAMES_OF_DOCKER_HUB = ("hub.docker.com", "index.docker.io", "registry-1.docker.io")
_LONGEST_URL = 2048
_LONGEST_HOST = 253 + len(":65535")
_LARGEST_PORT = 65535
_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DIGITS = "[1-9][0-9]{0,4}"
# In image names, the first part is a registry only with a dot or a port, or if it is localhost.
# Source: distribution/reference, normalize.go.
_HOST = rf"\*|localhost|{_LABEL}:{_DIGITS}|({_LABEL}(\.{_LABEL})+|\[[0-9a-f:]+\])(:{_DIGITS})?"
_PORT = re.compile(":[0-9]+$")
_MIRRORS_MAX = 16


def _in_lower_case(name: object) -> object:
    """Name the key that is meant by one with capital letters, which dockerd never looks up."""
    if isinstance(name, str) and name != name.lower() and re.fullmatch(_HOST, name.lower()):
        raise ValueError(f"{shown(name)} is not in lower case (write {shown(name.lower())})")
    return name


def _host(name: str) -> str:
    """Reject names that dockerd never looks up, or with which it does not start."""
    host, _, port = name.rpartition(":") if _PORT.search(name) else (name, "", "")
    if host in _NAMES_OF_DOCKER_HUB or (host == _DOCKER_HUB and port):
        raise ValueError(f"{shown(name)} is Docker Hub (write {shown(_DOCKER_HUB)})")
    if port and int(port) > _LARGEST_PORT:
        raise ValueError(f"{shown(name)} has no valid port (accepted: 1 to {_LARGEST_PORT})")
    if host.startswith("["):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise ValueError(f"{shown(name)} is not an IPv6 address") from None
    return name


def _mirror_url(url: str) -> str:
    """Reject parts of a URL that dockerd ignores, and credentials, which pod specs would show."""
    if "@" in re.split("[/?#]", url, maxsplit=3)[2]:
        # Without the value: a log would show the password.
        raise ValueError("the URL contains a user or a password (accepted: authSecret)")
    if "?" in url or "#" in url:
        raise ValueError(f"{shown(url)} has a query or a fragment (accepted: a host and a path)")
    check_url(url)
    return url


RegistryHost = Annotated[
    str,
    Field(pattern=rf"^({_HOST})$", max_length=_LONGEST_HOST),
    Accepts(
        "a registry with a dot or a port (such as registry.example.com or "
        'registry.example.com:5000) or "*" for all others'
    ),
    BeforeValidator(_in_lower_case),
    AfterValidator(_host),
]
MirrorUrl = Annotated[
    str,
    Field(pattern=r"^https?://[A-Za-z0-9._~:/?#\[\]@!&'()*+,;=%-]+$", max_length=_LONGEST_URL),
    Accepts("a URL (such as https://mirror.example.com)"),
    AfterValidator(_mirror_url),
]


class Mirror(Model):
    """A mirror of a registry."""

    url: MirrorUrl = Field(
        description="Its URL, with the path that it needs. dockerd adds `/v2` unless the path ends "
        "with it."
    )
    override_path: bool = Field(
        default=False, description="Use the path of the URL as it is, without `/v2`."
    )


class Registry(Model):
    """How the daemon reaches a registry."""

    mirrors: tuple[Mirror, ...] = Field(
        default=(),
        max_length=_MIRRORS_MAX,
        description="Where the daemon pulls from, in this order, before it asks the registry "
        "itself. Pushes go to the registry.",
    )
    ca: Certificates | None = Field(
        default=None,
        description="CA certificates that the daemon trusts for the registry and its mirrors, "
        "beside those of the image.",
    )
    insecure: bool = Field(
        default=False,
        description="The registry itself has no TLS, or no certificate that can be verified. A "
        "mirror without TLS needs a URL with http:// only.",
    )
    auth_secret: SecretName | None = Field(
        default=None,
        description="A Secret of the type kubernetes.io/basic-auth in the pod's namespace, for the "
        "mirrors, or for the registry itself if there are none. The daemon sends it with each "
        "request. Anyone who can use the daemon can read it.",
    )

    @field_validator("mirrors")
    @classmethod
    def _no_mirror_twice(cls, mirrors: tuple[Mirror, ...]) -> tuple[Mirror, ...]:
        """Reject a mirror twice: dockerd would ignore the whole file of the registry."""
        urls = [mirror.url.rstrip("/") for mirror in mirrors]
        problems = [
            ((index, "url"), f"{shown(url)} is already in this list")
            for index, url in enumerate(urls)
            if url in urls[:index]
        ]
        reject(problems)
        return mirrors

    @field_validator("auth_secret")
    @classmethod
    def _only_over_tls(cls, secret: str | None, info: ValidationInfo) -> str | None:
        """Reject credentials that would be sent without TLS."""
        if secret is None or "mirrors" not in info.data:
            return secret
        mirrors: tuple[Mirror, ...] = info.data["mirrors"]
        plain = [mirror.url for mirror in mirrors if mirror.url.startswith("http:")]
        if plain:
            raise ValueError(f"would be sent without TLS to {shown(plain[0])} (accepted: https://)")
        if not mirrors and info.data.get("insecure"):
            raise ValueError(
                "would be sent to an insecure registry (accepted: insecure: false, with ca)"
            )
        return secret


def check_names(registries: dict[str, Registry]) -> dict[str, Registry]:
    """Reject what an entry means for all other registries, or for Docker Hub, but cannot say."""
    problems = []
    every = registries.get(EVERY_REGISTRY, Registry())
    if every.insecure:
        problems.append(((EVERY_REGISTRY, "insecure"), "not accepted here (name each registry)"))
    if every.auth_secret and not every.mirrors:
        sentence = "needs mirrors here: it would be sent to every registry"
        problems.append(((EVERY_REGISTRY, "authSecret"), sentence))
    if registries.get(_DOCKER_HUB, Registry()).insecure:
        problems.append(((_DOCKER_HUB, "insecure"), "not accepted: Docker Hub has TLS"))
    reject(problems)
    return registries
