"""Mistakes in a configuration file: none hides another, and each has one problem."""

import copy
import datetime as dt
import itertools
import json
import random
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pytest
from unit.config.authorities import authority

from webhook.config import ConfigError, parse_config
from webhook.config.wording import dotted

Path = tuple[str | int, ...]

CA = authority("Example CA", dt.datetime(2126, 1, 1, tzinfo=dt.UTC))
EVERY_KEY: dict[str, Any] = {
    "apiVersion": "dind.io/v1alpha1",
    "defaultProfile": "sidecar",
    "profiles": {
        "sidecar": {
            "mode": "sidecar",
            "image": "docker:29-dind",
            "imagePullSecrets": [{"name": "a"}],
            "resources": {"requests": {"memory": "8Gi"}, "limits": {"memory": "16Gi"}},
            "waitResources": {"requests": {"memory": "256Mi"}, "limits": {"memory": "512Mi"}},
            "daemon": {
                "defaultAddressPools": [{"base": "10.0.0.0/8", "size": 24}],
                "mtu": 1400,
                "extraArgs": ["--debug"],
                "proxy": {
                    "http": "http://a.example",
                    "https": "http://a.example",
                    "noProxy": ["b.example"],
                    "client": False,
                },
                "env": {"SSL_CERT_DIR": "/data:/etc/ssl/certs", "A": "b"},
                "config": {},
            },
            "registries": {
                "*": {"mirrors": [{"url": "https://a.example"}], "authSecret": "a"},
                "a.example": {"ca": CA, "authSecret": "a"},
                "b.example": {
                    "mirrors": [{"url": "https://a.example", "overridePath": True}],
                    "insecure": True,
                    "authSecret": "a",
                },
            },
            "caCertificates": CA,
            "jobCertificates": {"file": True, "environment": ["SSL_CERT_FILE"]},
            "socket": {"directory": "/var/run/dind", "gid": 2375},
            "startTimeout": 60,
            "mirrorMounts": True,
            "mirrorCSIDrivers": ["nfs.csi.k8s.io"],
            "runtimeClassName": "sysbox",
            "isolation": "runtimeClass",
            "nodeDirectories": ["/lib/modules"],
            "placement": "initContainer",
            "registryCredentials": {"secretName": "a", "containers": ["build"]},
            "podAnnotations": {"example.com/a": "b"},
        },
        "user": {
            "isolation": "userNamespace",
            "seccompProfile": "a.json",
            "daemon": {"metrics": {"image": "a", "port": 9400}},
            "storage": {"medium": "Memory", "sizeLimit": "8Gi"},
            "registryCredentials": {"secretName": "a"},
        },
        "node": {"mode": "node", "socket": {"directory": "/var/run/dind"}},
        "claim": {"storage": {"volumeClaimTemplate": {"spec": {"storageClassName": "a"}}}},
        "stores": {
            "storage": {
                "sizeLimit": "40Gi",
                "persistent": {
                    "share": "trusted",
                    "hostPath": "/mnt/a",
                    "keep": "30Gi",
                    "maxAge": "7d",
                },
            },
            "daemon": {"config": {"features": {"containerd-snapshotter": True}}},
        },
        "other": {"storage": {"persistent": {"share": "trusted", "hostPath": "/mnt/b"}}},
    },
    "policy": {
        "annotations": ["containers"],
        "images": ["docker:*"],
        "maximum": {"cpu": 2, "memory": "8Gi", "storage": "1Gi"},
        "profiles": {"a": ["sidecar"], "b": ["node", "user"]},
    },
}
MISSPELT = object()


def places(value: Any, *path: str | int) -> Iterator[Path]:
    """The paths of all values below a value."""
    steps = enumerate(value) if isinstance(value, list) else ()
    for step, below in value.items() if isinstance(value, dict) else steps:
        yield (*path, step)
        yield from places(below, *path, step)


class Mistake(NamedTuple):
    """A change of `EVERY_KEY` that makes it wrong."""

    path: Path
    value: Any  # what is there instead, or MISSPELT
    place: Path  # of the problem
    open: Sequence[Path] = ()  # with a bad value there, nobody can tell that it is wrong

    def make(self, content: Any) -> None:
        """Change a copy of `EVERY_KEY`."""
        for step in self.path[:-1]:
            content = content[step]
        if self.value is MISSPELT:
            content[self.place[-1]] = content.pop(self.path[-1])
        else:
            content[self.path[-1]] = self.value

    def __str__(self) -> str:
        value = "misspelt" if self.value is MISSPELT else json.dumps(self.value)
        return f"{dotted(self.path)}-{value}"


def problems(*mistakes: Mistake) -> list[str]:
    content = copy.deepcopy(EVERY_KEY)
    for mistake in mistakes:
        mistake.make(content)
    with pytest.raises(ConfigError) as caught:
        parse_config(json.dumps(content).encode(), "f")
    return caught.value.problems


#: Without those that take any string, or any value.
PLACES = [
    path
    for path in places(EVERY_KEY)
    if not {"podAnnotations", "images", "config"}.intersection(path[:-1])
]


VALUES: list[Any] = [-1.5, "\t", [[]]]
BAD_VALUES = [Mistake(path, value, path) for path in PLACES for value in VALUES]
#: Without the last letter; not of names and short keys, nor where that is another key.
MISSPELT_KEYS = [
    Mistake(path, MISSPELT, (*path[:-1], path[-1][:-1]))
    for path in PLACES
    if isinstance(path[-1], str)
    and len(path[-1]) > 2
    and path[-1] != "https"
    and path[-2:-1] not in [("profiles",), ("registries",), ("env",)]
]
SIDECAR, STORES = ("profiles", "sidecar"), ("profiles", "stores")
REGISTRIES = (*SIDECAR, "registries")
POOLS = (*SIDECAR, "daemon", "defaultAddressPools")
NODE, CLAIM = ("profiles", "node"), ("profiles", "claim")
HOST_PATH = (*STORES, "storage", "persistent", "hostPath")
#: What is wrong only together with another value.
CONTRADICTIONS = [
    Mistake((*REGISTRIES, "docker.io"), {"insecure": True}, (*REGISTRIES, "docker.io", "insecure")),
    Mistake(
        (*REGISTRIES, "*", "mirrors"),
        [],
        (*REGISTRIES, "*", "authSecret"),
        open=[(*REGISTRIES, "*")],
    ),
    Mistake(
        (*SIDECAR, "resources", "limits"),
        {"memory": "1Gi"},
        (*SIDECAR, "resources", "limits", "memory"),
        open=[(*SIDECAR, "resources")],
    ),
    Mistake(
        (*SIDECAR, "daemon", "env", "http_proxy"),
        "a",
        (*SIDECAR, "daemon", "env", "http_proxy"),
        open=[(*SIDECAR, "daemon", "proxy")],
    ),
    Mistake((*SIDECAR, "daemon", "config", "hosts"), [], (*SIDECAR, "daemon", "config", "hosts")),
    Mistake((*POOLS, 0, "size"), 4, (*POOLS, 0, "size"), open=[POOLS]),
    Mistake(
        (*NODE, "socket", "directory"),
        "/run",
        (*NODE, "socket", "directory"),
        open=[(*NODE, "socket"), (*NODE, "mode")],
    ),
    Mistake(
        (*CLAIM, "storage", "sizeLimit"),
        0,
        (*CLAIM, "storage", "volumeClaimTemplate"),
        open=[(*CLAIM, "storage")],
    ),
    Mistake(
        (*STORES, "storage", "persistent", "keep"),
        "50Gi",
        (*STORES, "storage", "persistent", "keep"),
        open=[(*STORES, "storage")],
    ),
    Mistake(HOST_PATH, "/mnt/b/c", HOST_PATH, open=[STORES, ("profiles", "other")]),
    Mistake(
        ("policy", "annotations"),
        ["cpu"],
        ("policy", "annotations"),
        open=[("profiles", "user"), ("policy",)],
    ),
    Mistake(
        ("policy", "profiles", "c"),
        ["no"],
        ("policy", "profiles", "c", 0),
        open=[("profiles", "no"), ("defaultProfile",)],
    ),
    Mistake(("defaultProfile",), "no", ("defaultProfile",), open=[("profiles", "no")]),
]


def test_every_key_is_valid() -> None:
    parse_config(json.dumps(EVERY_KEY).encode(), "f")


@pytest.mark.parametrize("mistake", BAD_VALUES, ids=str)
def test_one_bad_value_has_one_problem(mistake: Mistake) -> None:
    """A rule about several keys says nothing where one of them has a problem of its own."""
    (problem,) = problems(mistake)
    assert problem.startswith(dotted(mistake.place))
    assert re.search(r" is not |\(accepted: |\(profiles: ", problem)


@pytest.mark.parametrize("mistake", MISSPELT_KEYS, ids=str)
def test_one_misspelt_key_has_one_problem(mistake: Mistake) -> None:
    """Neither is the key missing that is meant, nor does its default break a rule."""
    (problem,) = problems(mistake)
    meant = mistake.path[-1]
    start = f'{dotted(mistake.place)}: unknown key, did you mean "{meant}"? (accepted: '
    assert problem.startswith(start)


@pytest.mark.parametrize("mistake", CONTRADICTIONS, ids=str)
def test_one_contradiction_has_one_problem(mistake: Mistake) -> None:
    (problem,) = problems(mistake)
    assert problem.startswith(f"{dotted(mistake.place)}: ")


def overlap(one: Path, other: Path) -> bool:
    """Tell whether one of two paths leads to the other."""
    return all(step == other_step for step, other_step in zip(one, other, strict=False))


def are_apart(one: Mistake, other: Mistake) -> bool:
    """Tell whether neither of two mistakes is in what the other leaves open."""
    left_open = [] if other.value is MISSPELT else one.open
    of_other = [] if one.value is MISSPELT else other.open
    return not (
        overlap(one.path, other.path)
        or any(overlap(path, other.place) for path in left_open)
        or any(overlap(path, one.place) for path in of_other)
    )


def pairs() -> Iterator[tuple[Mistake, Mistake]]:
    """The contradictions with each other and with a sample of the rest, and a sample of the rest.

    All pairs would take minutes; the sample is the same in every run.
    """
    rng = random.Random(0)
    others = [*BAD_VALUES, *MISSPELT_KEYS]
    yield from itertools.combinations(CONTRADICTIONS, 2)
    for contradiction in CONTRADICTIONS:
        yield from ((contradiction, other) for other in rng.sample(MISSPELT_KEYS, 20))
        yield from ((contradiction, other) for other in rng.sample(BAD_VALUES, 20))
    for _ in range(200):
        one, other = rng.sample(others, 2)
        yield one, other


def test_two_mistakes_have_two_problems() -> None:
    """Whatever two places they are at, both are found, each once and in its own words."""
    alone: dict[str, list[str]] = {}
    tried = 0
    for both in pairs():
        if not are_apart(*both):
            continue
        for mistake in both:
            if str(mistake) not in alone:
                alone[str(mistake)] = problems(mistake)
        expected = [problem for mistake in both for problem in alone[str(mistake)]]
        assert sorted(problems(*both)) == sorted(expected), [str(mistake) for mistake in both]
        tried += 1
    assert tried > 500
