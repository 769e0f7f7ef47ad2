"""Types of single values: what each accepts, and the words for it in errors and docs."""

import ipaddress
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from webhook.config import quantity
from webhook.config.image import LONGEST, REFERENCE_PATTERN
from webhook.config.paths import (
    PROTECTED,
    SYSTEM_DIRECTORIES,
    is_clear_of,
    is_within,
    normal,
    real,
)
from webhook.config.wording import shown

NOT_ACCEPTED = "not_accepted"
_A_NETWORK = "a network (such as 10.200.0.0/16)"
_DIRECTORY = r"^(/[A-Za-z0-9._-]+)+$"
_LONGEST_DOMAIN = 253
_LONGEST_QUALIFIED_NAME = _LONGEST_DOMAIN + len("/") + 63
_DOMAIN_LABEL = "[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?"
_OBJECT_NAME = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"


@dataclass(frozen=True)
class Accepts:
    """Annotates a type with what it accepts, which is its one error whatever is wrong.

    Attributes:
        words: the end of the sentence `VALUE is not ...`.
    """

    words: str

    def __get_pydantic_core_schema__(
        self,
        source: Any,  # noqa: ANN401 - pydantic's protocol
        handler: GetCoreSchemaHandler,
    ) -> CoreSchema:
        """Replace pydantic's errors, one for each branch of a union, by one."""
        return core_schema.custom_error_schema(
            handler(source), custom_error_type=NOT_ACCEPTED, custom_error_message=self.words
        )


def _amount(value: str | float) -> str | float:
    """Reject what matches the pattern but Kubernetes cannot hold, such as 99E."""
    try:
        quantity.parse(str(value))
    except ValueError as error:
        raise ValueError(f"{shown(value)} {error}") from None
    return value


def _network(text: str) -> str:
    """Reject what dockerd rejects at its start, in every pod."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{shown(text)} is not {_A_NETWORK}") from None
    if ipaddress.ip_address(text.partition("/")[0]) != network.network_address:
        raise ValueError(
            f'{shown(text)} is not the first address of its network (write "{network}")'
        )
    return text


def _check_normalized(path: str) -> None:
    if normal(path) != path:
        raise ValueError(f"{shown(path)} is not a normalized path (write {shown(normal(path))})")


def _socket_directory(text: str) -> str:
    """Reject a directory that would hide what the daemon or the job needs."""
    path = real(text)
    _check_normalized(text)
    hides_token = not is_clear_of(path, ("/var/run/secrets",)) and path != "/var/run"
    hides_files = not is_within(path, "/var/run") and not is_clear_of(path, PROTECTED)
    if hides_token or hides_files:
        raise ValueError(
            f"{shown(text)} would hide files of the daemon's or the job's image "
            "(accepted: a directory of its own, such as /var/run/dind)"
        )
    return text


def _node_directory(text: str) -> str:
    """Reject a directory whose mount would hide what the daemon writes."""
    _check_normalized(text)
    own = (
        *("/var/run", "/var/lib/docker", "/var/lib/dind-store", "/var/dind"),
        *("/proc", "/sys", "/dev"),
    )
    if not is_clear_of(real(text), own):
        raise ValueError(
            f"{shown(text)} would hide files of the daemon (accepted: a directory that is not at, "
            f"below or above {', '.join(own)})"
        )
    return text


def store_directory(text: str) -> str:
    """Reject a directory of the node in which stores would mix with other files.

    Raises:
        ValueError: what is wrong.
    """
    _check_normalized(text)
    if not is_clear_of(real(text), SYSTEM_DIRECTORIES):
        raise ValueError(
            f"{shown(text)} is at, below or above a directory of the node's system (accepted: a "
            "directory of its own, such as /var/lib/dind-webhook)"
        )
    return text


def _annotation(key: str) -> str:
    """Reject what the API server rejects in every pod, and what has a meaning of its own."""
    prefix, slash, _ = key.rpartition("/")
    if slash and len(prefix) > _LONGEST_DOMAIN:
        raise ValueError(f"{shown(key)} has a prefix of {len(prefix)} characters (accepted: 253)")
    if prefix == "dind.io":
        raise ValueError(
            f"{shown(key)} is an annotation of dind-webhook (accepted: those of other programs)"
        )
    if key.startswith("kubernetes.io/config."):
        raise ValueError(
            f"{shown(key)} marks static pods of the kubelet (accepted: other annotations)"
        )
    return key


def _path(longest: int, example: str) -> str:
    return (
        f"an absolute path of at most {longest} letters, digits and ._-/ without a slash at its "
        f"end (such as {example})"
    )


ApiVersion = Annotated[
    Literal["dind.io/v1alpha1"], Accepts("a supported version (supported: dind.io/v1alpha1)")
]
Name = Annotated[
    str,
    Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"),
    Accepts("a name of at most 63 lower-case letters, digits and inner hyphens"),
]
Image = Annotated[
    str,
    Field(pattern=REFERENCE_PATTERN, max_length=LONGEST),
    Accepts("an image reference (such as docker:29-dind)"),
]
_Number = Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0)]
Quantity = Annotated[
    Annotated[str, Field(pattern=quantity.PATTERN)] | _Number,
    Accepts("a Kubernetes quantity (such as 500m, 2 or 4Gi)"),
    AfterValidator(_amount),
]
Bytes = Annotated[
    Annotated[str, Field(pattern=quantity.BYTES_PATTERN)] | _Number,
    Accepts("a quantity of bytes (such as 512Mi or 4Gi)"),
    AfterValidator(_amount),
]
GroupId = Annotated[int, Field(ge=1, le=2**31 - 1), Accepts("a whole number from 1 to 2147483647")]
Seconds = Annotated[int, Field(ge=1, le=600), Accepts("a whole number from 1 to 600")]
UnprivilegedPort = Annotated[
    int, Field(ge=1024, le=65535), Accepts("a whole number from 1024 to 65535")
]
PrefixLength = Annotated[int, Field(ge=1, le=128), Accepts("a whole number from 1 to 128")]
Mtu = Annotated[
    Literal["auto"] | Annotated[int, Field(ge=576, le=65535)],
    Accepts('"auto" or a whole number from 576 to 65535'),
]
Flag = Annotated[
    str,
    Field(pattern=r"^--[a-z0-9][a-z0-9-]*(=[^\n]*)?$"),
    Accepts("a flag (such as --debug or --log-level=warn)"),
]
Network = Annotated[
    str,
    # Python reads masks, too, such as 10.200.0.0/255.255.0.0; Go only the length of a prefix.
    Field(pattern=r"^[0-9A-Fa-f:.]+/(0|[1-9][0-9]{0,2})$", max_length=64),
    Accepts(_A_NETWORK),
    AfterValidator(_network),
]
SocketDirectory = Annotated[
    str,
    # With /docker.sock, the longest address of a socket (unix(7)).
    Field(pattern=_DIRECTORY, max_length=95),
    Accepts(_path(95, "/var/run/dind")),
    AfterValidator(_socket_directory),
]
SecretName = Annotated[
    str,
    Field(pattern=_OBJECT_NAME),
    Accepts("the name of a Secret (lower-case letters, digits, inner hyphens and dots)"),
]
StorageClassName = Annotated[
    str,
    Field(pattern=_OBJECT_NAME),
    Accepts("the name of a StorageClass (lower-case letters, digits, inner hyphens and dots)"),
]
VariableName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"),
    Accepts("the name of an environment variable (such as SSL_CERT_FILE)"),
]
NodeDirectory = Annotated[
    str,
    Field(pattern=_DIRECTORY, max_length=255),
    Accepts(_path(255, "/lib/modules")),
    AfterValidator(_node_directory),
]
StoreDirectory = Annotated[
    str,
    Field(pattern=_DIRECTORY, max_length=255),
    Accepts(_path(255, "/var/lib/dind-webhook")),
    AfterValidator(store_directory),
]
Duration = Annotated[
    str,
    Field(pattern=r"^[1-9][0-9]{0,4}[hd]$"),
    Accepts("a number of hours or days (such as 12h or 7d)"),
]
SeccompProfile = Annotated[
    str,
    # No part of the path begins with a dot, as the API server demands of `..`.
    Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$", max_length=255),
    Accepts("the relative path of a file (such as dind-seccomp.json)"),
]
AnnotationKey = Annotated[
    str,
    # Kubernetes, IsQualifiedName: a DNS subdomain of at most 253 characters, and a name of 63.
    Field(
        pattern=rf"^({_DOMAIN_LABEL}(\.{_DOMAIN_LABEL})*/)?"
        r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$",
        max_length=_LONGEST_QUALIFIED_NAME,
    ),
    Accepts("the key of an annotation (such as sidecar.istio.io/inject)"),
    AfterValidator(_annotation),
]
CSIDriver = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9.]{0,61}[A-Za-z0-9])?$"),
    Accepts("the name of a CSI driver (such as nfs.csi.k8s.io)"),
]
ImagePattern = Annotated[str, Field(min_length=1), Accepts("a string of 1 or more characters")]
PolicyAnnotation = Literal["containers", "cpu", "image", "memory", "mode", "profile", "storage"]
