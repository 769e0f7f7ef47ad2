"""The annotations a pod may carry: one table feeds the parser, the docs and the tests."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from webhook.config import Mode, image, quantity
from webhook.injection.decisions import Problem, quoted
from webhook.injection.optin import INJECT
from webhook.injection.reasons import Reason

PREFIX = "dind.io/"
_MOST_NAMES = 100  # of containers; their number bounds what one annotation can cost
STATUS = "dind.io/status"  # written by the webhook, never read as a wish


class Options(Struct, frozen=True, kw_only=True):
    """What a pod asks for; None where it leaves the choice to its profile.

    Quantities are kept as text, since they go into the pod as they were written.
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
        name: the part after `dind.io/`; also the field of `Options` and the policy's word for it.
        parse: value to option; raises ValueError with a phrase that follows the value.
        default: what holds without it, for people.
        help: what it does, for people.
        example: a value that is accepted.
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
        raise ValueError("is empty; name a profile of the operator's file")
    return text


def _mode(text: str) -> Mode:
    try:
        return Mode(text)
    except ValueError:
        allowed = " and ".join(mode.value for mode in Mode)
        raise ValueError(f"is not a mode; allowed are {allowed}") from None


def _containers(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise ValueError("is not a list of container names separated by commas")
    if len(names) > _MOST_NAMES:
        raise ValueError(f"has {len(names)} names; allowed are up to {_MOST_NAMES}")
    return tuple(dict.fromkeys(names))


def _at_least(smallest: str) -> Callable[[str], str]:
    bound = quantity.parse(smallest)

    def parse(text: str) -> str:
        if quantity.parse(text) < bound:
            raise ValueError(f"is too little; allowed is {smallest} or more")
        return text

    return parse


TABLE: tuple[Annotation, ...] = (
    Annotation(
        "profile",
        _profile,
        default="the operator's defaultProfile",
        help="Which of the operator's profiles the daemon follows.",
        example="large",
    ),
    Annotation(
        "mode",
        _mode,
        default="the profile's mode",
        help="`sidecar` runs a daemon in the pod, `node` uses the one of the node.",
        example="node",
    ),
    Annotation(
        "containers",
        _containers,
        default="every container and every ordinary init container",
        help="Which containers get the socket, by name, separated by commas.",
        example="build,test",
    ),
    Annotation(
        "image",
        image.parse,
        default="the profile's image",
        help="The daemon's image; it must match a pattern of the operator's policy.",
        example="docker:29-dind",
    ),
    Annotation(
        "cpu",
        _at_least("1m"),
        default="the profile's limit, or none",
        help="The sidecar's CPU limit, a quantity of cores.",
        example="2",
    ),
    Annotation(
        "memory",
        _at_least("64Mi"),
        default="the profile's limit",
        help="The sidecar's memory limit, a quantity of bytes; builds run within it.",
        example="8Gi",
    ),
    Annotation(
        "storage",
        _at_least("64Mi"),
        default="the profile's storage.sizeLimit",
        help="The size limit of the image store, a quantity of bytes.",
        example="40Gi",
    ),
)
_BY_KEY: Mapping[str, Annotation] = {row.key: row for row in TABLE}
KNOWN_KEYS = (INJECT, *_BY_KEY)


class Reading(Struct, frozen=True):
    """What the annotations say.

    Attributes:
        options: those that could be read.
        problems: why others could not.
        names: of all that exist, read or not; the part after `dind.io/`.
    """

    options: Options
    problems: tuple[Problem, ...]
    names: tuple[str, ...] = ()


_NOTHING_SAID = Reading(Options(), ())


def read(annotations: Mapping[str, str]) -> Reading:
    """Read a pod's `dind.io/*` annotations, all of them, whatever is wrong with some."""
    said = [key for key in annotations if key.startswith(PREFIX) and key not in (INJECT, STATUS)]
    if not said:
        return _NOTHING_SAID
    options: dict[str, Any] = {}
    problems: list[Problem] = []
    for key in said:
        value = annotations[key]
        row = _BY_KEY.get(key)
        if row is None:
            problems.append(_unknown(key))
            continue
        try:
            options[row.name] = row.parse(value)
        except ValueError as error:
            message = f"annotation {key} is {quoted(value)}, which {error}"
            problems.append(Problem(Reason.BAD_VALUE, message))
    names = tuple(_BY_KEY[key].name for key in said if key in _BY_KEY)
    return Reading(Options(**options), tuple(problems), names)


def _unknown(key: str) -> Problem:
    return Problem(
        Reason.UNKNOWN_ANNOTATION,
        f"annotation {quoted(key)} does not exist; allowed are {', '.join(KNOWN_KEYS)}",
    )
