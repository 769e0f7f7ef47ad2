"""The pods in `examples/`, with what their headers promise.

A header is a comment in two parts, with an empty `#` line between them: prose, then one
`key: value` a line for the tests.

    expect            `injected`, or the outcome and the reason's slug: `skipped own-daemon`
    socket            containers that get the socket, separated by commas
    warning           an admission warning, word for word; once for each
    namespace-label   value of the namespace's label dind.io/inject
    config            the configuration file, a name in the same directory
"""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from webhook.injection import Outcome, Reason

DIRECTORY = Path(__file__).parents[2] / "examples"
CONFIGURATION = DIRECTORY / "config.yaml"  # a configuration, not an example of a pod
_KEYS = ("expect", "socket", "warning", "namespace-label", "config")
_TEMPLATES = {  # kind to the keys that lead to its pod
    "Pod": (),
    "Job": ("spec", "template"),
    "Deployment": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}


@dataclass(frozen=True)
class Example:
    """A file of `examples/`.

    Attributes:
        path: the file.
        documents: its objects, as `kubectl apply` would send them.
        expectation: what the webhook answers for each of its pods.
        socket: names of the containers that get the socket, in the pod's order.
        warnings: the admission warnings, in order.
        namespace_label: value of the namespace's label dind.io/inject, None where it has none.
        config: the configuration file, None where the defaults are meant.
    """

    path: Path
    documents: tuple[dict[str, Any], ...]
    expectation: Reason
    socket: tuple[str, ...]
    warnings: tuple[str, ...]
    namespace_label: str | None
    config: Path | None

    @property
    def outcome(self) -> Outcome:
        """What happens to its pods."""
        return self.expectation.outcome

    @property
    def expectation_text(self) -> str:
        """The expectation as the header says it."""
        return _text(self.expectation)

    @property
    def options(self) -> str:
        """The options with which `dind-webhook inject` and `explain` see what the cluster sees."""
        words = ["-f", f"examples/{self.path.name}"]
        if self.namespace_label is not None:
            words += ["--namespace-label", self.namespace_label]
        if self.config is not None:
            words += ["--config", f"examples/{self.config.name}"]
        return " ".join(words)

    def pods(self) -> Iterator[dict[str, Any]]:
        """Its pods, or the pods that a controller would create from its templates."""
        for document in self.documents:
            pod = document
            for key in _TEMPLATES[document["kind"]]:
                pod = pod[key]
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": {}, **pod}


def all_examples() -> list[Example]:
    """Read every example, sorted by name.

    Raises:
        ValueError: a file's header is missing or cannot be read; the message names both.
    """
    return [read(path) for path in sorted(DIRECTORY.glob("*.yaml")) if path != CONFIGURATION]


def read(path: Path) -> Example:
    """Read one example.

    Raises:
        ValueError: its header is missing or cannot be read.
    """
    text = path.read_text(encoding="utf-8")
    said = _header(path, text)
    return Example(
        path=path,
        documents=_documents(text),
        expectation=_expectation(path, said["expect"]),
        socket=tuple(name.strip() for names in said["socket"] for name in names.split(",")),
        warnings=tuple(said["warning"]),
        namespace_label=next(iter(said["namespace-label"]), None),
        config=next((path.with_name(name) for name in said["config"]), None),
    )


def _documents(text: str) -> tuple[dict[str, Any], ...]:
    loaded = list(YAML(typ="safe", pure=True).load_all(text))
    # Through JSON, as kubectl sends them: YAML aliases become copies, not one shared list.
    return tuple(json.loads(json.dumps(loaded)))


def _header(path: Path, text: str) -> dict[str, list[str]]:
    lines = list(itertools.takewhile(lambda line: line.startswith("#"), text.splitlines()))
    if "#" not in lines[1:]:
        raise ValueError(f"{path.name} does not begin with prose, an empty # line and the answers")
    said: dict[str, list[str]] = {key: [] for key in _KEYS}
    for line in lines[lines.index("#") + 1 :]:
        key, _, value = line.removeprefix("# ").partition(": ")
        if key not in said or not value:
            raise ValueError(f"{path.name} says {line!r}; allowed keys are {', '.join(_KEYS)}")
        said[key].append(value)
    return said


def _expectation(path: Path, said: list[str]) -> Reason:
    allowed = {_text(reason): reason for reason in Reason}
    if len(said) != 1 or said[0] not in allowed:
        raise ValueError(f"{path.name} expects {said}; allowed is one of {', '.join(allowed)}")
    return allowed[said[0]]


def _text(reason: Reason) -> str:
    if reason is Reason.INJECTED:
        return reason.outcome.value
    return f"{reason.outcome.value} {reason.slug}"
