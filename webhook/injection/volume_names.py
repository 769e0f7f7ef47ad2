"""Names of the volumes that an injection adds."""

from collections.abc import Collection

from webhook.config import Mode
from webhook.injection import node, sidecar

_LONGEST_NAME = 63  # characters; a DNS label


def default_volume(mode: Mode) -> str:
    """Name of the shared volume, if the pod has no other volume of this name."""
    return sidecar.SOCKET_VOLUME if mode is Mode.SIDECAR else node.SOCKET_VOLUME


def is_volume_name(name: str, default: str) -> bool:
    """Tell whether `free_volume_name` can have made a name."""
    prefixed = default if default.startswith("dind-") else f"dind-{default}"
    number = name.removeprefix(f"{prefixed}-")
    return name in (default, prefixed) or (
        number != name and number.isdecimal() and len(name) <= _LONGEST_NAME
    )


def free_volume_name(name: str, taken: Collection[str]) -> str:
    """Find a volume name that is not taken: `name`, else with `dind-` before it and a number."""
    prefixed = name if name.startswith("dind-") else f"dind-{name}"
    candidate, number = name, 1
    while candidate in taken:
        candidate = prefixed if number == 1 and prefixed != name else f"{prefixed}-{number}"
        number += 1
    return candidate
