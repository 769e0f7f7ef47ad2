"""The annotations of a pod: one table for the parser, the documentation and the tests."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from webhook.config import Mode, image, quantity
from webhook.injection.decisions import Problem, quoted
from webhook.injection.optin import INJECT
from webhook.injection.reasons import Reason

PREFIX = "dind.io/"
_MAX_NAMES = 100  # of containers in one annotation
STATUS = "dind.io/status"  # written by the webhook, never read as an option


class Options(Struct, frozen=True, kw_only=True):
    """What a pod asks for; None if it leaves the choice to its profile.

    Quantities stay text: they go into the pod as they were written.
    """

    profile: str | None = None
    mode: Mode | None = None
    containers: tuple[str, ...] | None = None
    image: str | None = None
    cpu: str | None = None
    memory: str | None = None
    storage: str | None = None


class Annotation(Struct, frozen=True):
    """One row of the table.

    Attributes:
        name: the part after `dind.io/`; also its field of `Options` and its name in the policy.
        parse: value to option; raises ValueError with a phrase that follows the value.
        default: what applies without it, for the documentation.
        help: what it does, for the documentation.
        example: an accepted value.
    """

    name: str
    parse: Callable[[str], Any]
    default: str
    help: str
    example: str

    @property
    def key(self) -> str:
        """The annotation's full name."""
        return PREFIX + self.name


def _profile(text: str) -> str:
    if not text:
        raise ValueError("is not the name of a profile of the configuration file")
    return text


def _mode(text: str) -> Mode:
    try:
        return Mode(text)
    except ValueError:
        accepted = ", ".join(mode.value for mode in Mode)
        raise ValueError(f"is not a mode (accepted: {accepted})") from None


def _containers(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise ValueError("is not a list of container names separated by commas")
    if len(names) > _MAX_NAMES:
        raise ValueError(f"has {len(names)} names (accepted: up to {_MAX_NAMES})")
    return tuple(dict.fromkeys(names))


def _at_least(smallest: str) -> Callable[[str], str]:
    bound = quantity.parse(smallest)

    def parse(text: str) -> str:
        if quantity.parse(text) < bound:
            raise ValueError(f"is too small (minimum: {smallest})")
        return text

    return parse


TABLE: tuple[Annotation, ...] = (
    Annotation(
        "profile",
        _profile,
        default="the configuration file's defaultProfile",
        help="The profile of the configuration file that describes the daemon.",
        example="large",
    ),
    Annotation(
        "mode",
        _mode,
        default="the profile's mode",
        help="`sidecar` runs a daemon in the pod, `node` uses the node's daemon.",
        example="node",
    ),
    Annotation(
        "containers",
        _containers,
        default="every container and every ordinary init container",
        help="The names of the containers that get the socket, separated by commas.",
        example="build,test",
    ),
    Annotation(
        "image",
        image.parse,
        default="the profile's image",
        help="The daemon's image; it must match a pattern of `policy.images`.",
        example="docker:29-dind",
    ),
    Annotation(
        "cpu",
        _at_least("1m"),
        default="the profile's limit, or none",
        help="The sidecar's CPU limit, a Kubernetes quantity of cores.",
        example="2",
    ),
    Annotation(
        "memory",
        _at_least("64Mi"),
        default="the profile's limit",
        help="The sidecar's memory limit, a Kubernetes quantity of bytes; builds run within it.",
        example="8Gi",
    ),
    Annotation(
        "storage",
        _at_least("64Mi"),
        default="the profile's storage.sizeLimit",
        help="The size limit of the image store, or the size of its PVC: a Kubernetes quantity of "
        "bytes.",
        example="40Gi",
    ),
)
_BY_KEY: Mapping[str, Annotation] = {row.key: row for row in TABLE}
KNOWN_KEYS = (INJECT, *_BY_KEY)


class ParsedAnnotations(Struct, frozen=True):
    """A pod's annotations, parsed.

    Attributes:
        options: of the annotations with a valid value.
        problems: of the others.
        names: of all annotations in the table, valid or not; the part after `dind.io/`.
    """

    options: Options
    problems: tuple[Problem, ...]
    names: tuple[str, ...]


def parse_annotations(annotations: Mapping[str, str]) -> ParsedAnnotations:
    """Parse a pod's `dind.io/*` annotations; a bad one does not stop the others."""
    options: dict[str, Any] = {}
    problems: list[Problem] = []
    names: list[str] = []
    for key, value in annotations.items():
        if not key.startswith(PREFIX) or key in (INJECT, STATUS):
            continue
        row = _BY_KEY.get(key)
        if row is None:
            message = f"unknown annotation {quoted(key)} (accepted: {', '.join(KNOWN_KEYS)})"
            problems.append(Problem(Reason.UNKNOWN_ANNOTATION, message))
            continue
        names.append(row.name)
        try:
            options[row.name] = row.parse(value)
        except ValueError as error:
            message = f"annotation {key}: {quoted(value)} {error}"
            problems.append(Problem(Reason.BAD_VALUE, message))
    return ParsedAnnotations(Options(**options), tuple(problems), tuple(names))
