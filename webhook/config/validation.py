"""Makes a configuration of the data of a file, or finds all of its mistakes.

pydantic checks a rule about several values only if all of them are valid. So a misspelt key is read
as the one that is meant, and a bad entry is left out, until no other mistake comes to light. What
stays hidden is a rule about a part of a profile in which another value is wrong.
"""

import copy
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from webhook.config.base import LOCATED
from webhook.config.configuration import Config, unknown_profiles
from webhook.config.problems import Path, close_key, kind_at, line, lines, places, unknown_key

_MOST_ROUNDS = 8  # a mistake rarely hides another that hides a third


def validated(data: Any) -> Config:  # noqa: ANN401 - JSON
    """Make a configuration of the data of a file.

    Raises:
        ValidationError: it is not valid.
    """
    # As JSON, pydantic is strict about numbers and strings, yet takes lists as tuples.
    return Config.model_validate_json(json.dumps(data), by_name=False)


def find_mistakes(data: Any) -> list[str]:  # noqa: ANN401 - JSON
    """Find all mistakes in the data of a file; each is a line that is understandable alone."""
    data = copy.deepcopy(data)
    found: dict[str, None] = {}
    for _ in range(_MOST_ROUNDS):
        misspelt = _unknown_keys(_errors(data))
        for path, meant in misspelt.items():
            found[line(path, unknown_key(path, meant))] = None
            _rename(data, path, meant)
        if not misspelt:
            break
    of_profiles = dict.fromkeys(_unknown_profiles(data))
    for _ in range(_MOST_ROUNDS):
        errors = _errors(data)
        found |= dict.fromkeys(text for details in errors for text in lines(details))
        if not _leave_out(data, errors):
            break
    return list(found | of_profiles)


def _errors(data: Any) -> list[ErrorDetails]:  # noqa: ANN401 - JSON
    """What pydantic finds, except names of profiles that do not exist: some are left out here."""
    try:
        validated(data)
    except ValidationError as error:
        found = error.errors(include_url=False)
        return [details for details in found if details["loc"] or details["type"] != LOCATED]
    return []


def _unknown_profiles(data: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Find names of profiles that do not exist, before profiles are left out."""
    if not isinstance(data, dict):
        return
    policy = data.get("policy")
    by_namespace = policy.get("profiles") if isinstance(policy, dict) else None
    found = unknown_profiles(
        data.get("defaultProfile", "default"), data.get("profiles", {}), by_namespace
    )
    for path, sentence in found:
        yield line(path, sentence)


def _unknown_keys(errors: Sequence[ErrorDetails]) -> dict[Path, str | None]:
    """Find the unknown keys, and for each the one that is meant, if that is clear.

    It is a close one, or the one that is missing where one key is unknown and one is missing.
    """
    unknown = [details["loc"] for details in errors if details["type"] == "extra_forbidden"]
    missing = [details["loc"] for details in errors if details["type"] == "missing"]
    unknown_in = Counter(path[:-1] for path in unknown)
    missing_in = Counter(path[:-1] for path in missing)
    only = {path[:-1]: str(path[-1]) for path in missing if missing_in[path[:-1]] == 1}
    return {
        path: close_key(path) or (only.get(path[:-1]) if unknown_in[path[:-1]] == 1 else None)
        for path in unknown
    }


def _rename(data: Any, path: Path, meant: str | None) -> None:  # noqa: ANN401 - JSON
    """Give a key the name that is meant; without one, or if the mapping has it, leave it out."""
    mapping = _value(data, path[:-1])
    value = mapping.pop(path[-1])
    if meant is not None:
        mapping.setdefault(meant, value)


def _leave_out(data: Any, errors: Sequence[ErrorDetails]) -> bool:  # noqa: ANN401 - JSON
    """Take what is wrong out of the way of rules about other values; tell whether anything was.

    A value that can only be one is set. Otherwise, whole entries of mappings are left out, profiles
    last. Keys with defaults stay: the default may break a rule that the file does not break.
    """
    paths = [path for details in errors for path in places(details)]
    settable = [path for path in paths if _only_value(path) is not None]
    for path in settable:
        _value(data, path[:-1])[path[-1]] = _only_value(path)
    if settable:
        return True
    entries = {entry for path in paths if (entry := _entry(path))}
    in_profiles = {entry for entry in entries if len(entry) > len(("profiles", "name"))}
    for entry in in_profiles or entries:
        _value(data, entry[:-1]).pop(entry[-1], None)
    return bool(entries)


def _only_value(path: Path) -> object:
    """The value that a place must have; None if there are several."""
    kind = kind_at(path)
    accepted = get_args(kind) if get_origin(kind) is Literal else ()
    return accepted[0] if len(accepted) == 1 else None


def _entry(path: Path) -> Path:
    """The path to the last entry of a mapping with names as keys; () if there is none on a path."""
    for length in range(len(path), 0, -1):
        if get_origin(kind_at(path[: length - 1])) is dict:
            return path[:length]
    return ()


def _value(data: Any, path: Path) -> Any:  # noqa: ANN401 - JSON
    for step in path:
        data = data[step]
    return data
