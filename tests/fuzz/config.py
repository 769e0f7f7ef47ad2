"""From the bytes of the configuration file to a configuration that decides, or a ConfigError."""

import json
import random
from typing import Any

import msgspec
from examples.loading import CONFIGURATION
from fuzz import mutation
from golden.cases import DIRECTORY
from property.generated import NONSENSE, PATHS, READABLE
from ruamel.yaml import YAML
from unit.config.test_loading import BAD
from unit.injection.pods import pod

from webhook.config import Config, ConfigError, parse_config
from webhook.injection import Admission, Endpoint, decide
from webhook.injection.pod import Pod

_SOURCE = "config.yaml"
_ADMISSION = Admission(Endpoint.POD, "ci", msgspec.convert(pod(), Pod))
_PIECES = [
    *("---\n", "...\n", "- ", "? ", ": ", "<<: *a\n", "&a ", "*a", "!!str ", "!!binary ", "|\n"),
    *(">-\n", "{}", "[]", "[", "}", "'", '"', "#", "%YAML 1.1\n", "\t", "\r", "\x85", "\ufeff"),
    *("~", "null", "0o17", "017", "0x1F", ".inf", ".nan", "1e400", "2026-01-01", "12:30:45", "yes"),
    *("\u2028", "\x00", "\\", "@", "`", "1_000", "-0", "--debug", "auto", "node", "*", "**"),
]
_NASTY: list[Any] = [
    *NONSENSE,
    *PATHS,
    *_PIECES,
    *(value for values in READABLE.values() for value in values),
    *(1, 1400, 65536, 1.5, "https://mirror.example", {"name": "registry"}, "10.200.0.0/16"),
]


def run(text: bytes) -> None:
    """Read a file, and decide about a pod under it.

    Raises:
        AssertionError: a problem takes more than one line.
        Exception: whatever else is raised beside ConfigError.
    """
    try:
        config = parse_config(text, _SOURCE)
    except ConfigError as error:
        problems = str(error).splitlines()
    else:
        assert Config.model_validate_json(config.model_dump_json()) == config
        decide(_ADMISSION, config)
        return
    assert problems
    assert all(line.startswith(f"{_SOURCE}: ") and line.isprintable() for line in problems), (
        problems
    )


def seeds() -> list[bytes]:
    """The configuration files that other tests know, good and bad ones, as YAML and as JSON."""
    yaml = YAML(typ="safe", pure=True)
    cases = [path.read_text().partition("\n---\n")[0] for path in sorted(DIRECTORY.glob("*.yaml"))]
    configs = [yaml.load(text).get("config") for text in cases]
    return [
        b"{}\n",
        CONFIGURATION.read_bytes(),
        *(text.encode() for text, _ in BAD.values()),
        *(mutation.compact(config) for config in configs if config),
    ]


_DONORS = [json.loads(seed) for seed in seeds() if seed.startswith(b'{"')]


def mutate(text: bytes, most: int, seed: int) -> bytes | None:
    """Change a file as JSON where it is JSON, and its lines otherwise."""
    rng = random.Random(seed)
    changed = mutation.mutated(text, most, rng, _NASTY, _DONORS)
    return changed or _with_changed_lines(text, most, rng)


def _with_changed_lines(text: bytes, most: int, rng: random.Random) -> bytes | None:
    lines = text.decode(errors="replace").splitlines(keepends=True)
    for _ in range(rng.randint(1, 4)):
        if not lines:
            return None
        at = rng.randrange(len(lines))
        line = lines[at]
        inside = rng.randint(0, len(line))
        indent = line[: len(line) - len(line.lstrip(" "))]
        lines[at : at + 1] = rng.choice(
            [
                [],
                [line, line],
                ["  " + line],
                [line[1:]],
                [line[:inside] + rng.choice(_PIECES) + line[inside:]],
                [line.partition(":")[0] + ": " + str(rng.choice(_NASTY)) + "\n"],
                [indent + str(rng.choice(_NASTY)) + ": " + line.partition(":")[2]],
                [line, rng.choice(lines)],
            ]
        )
    result = "".join(lines).encode()
    return result if len(result) <= most else None
