"""Helm, and the chart's renderings as data."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tools.build import ensure

CHART = Path(__file__).parents[3] / "charts" / "dind-webhook"
CI_VALUES = sorted((CHART / "ci").glob("*-values.yaml"))
RELEASE = "ci"
NAMESPACE = "dind-system"
FULLNAME = "ci-dind-webhook"

Object = dict[str, Any]


class HelmRefused(Exception):  # noqa: N818  (it reads as what happened)
    """Helm's own words."""


class Helm:
    """One Helm with directories of its own, without the user's settings and repositories.

    Args:
        tool: `helm` (version 4) or `helm3`.
        home: where it may write.
        kubeconfig: the cluster, for commands that need one.
    """

    def __init__(self, tool: str, home: Path, kubeconfig: Path | None = None) -> None:
        self.major = 3 if tool == "helm3" else 4
        self._binary = ensure(tool)
        self._environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("HELM_")},
            **{f"HELM_{name}_HOME": str(home / name) for name in ("CACHE", "CONFIG", "DATA")},
            "KUBECONFIG": str(kubeconfig or home / "none"),
        }

    def run(self, *args: str | Path) -> str:
        """Runs a command in the release's namespace; returns what it prints.

        Raises:
            HelmRefused: it failed.
        """
        result = subprocess.run(
            [self._binary, *args, f"--namespace={NAMESPACE}"],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise HelmRefused(result.stderr)
        return result.stdout

    def template(self, *args: str | Path) -> str:
        """Renders the chart as YAML text."""
        return self.run("template", RELEASE, CHART, "--kube-version=v1.36.3", *args)

    def objects(self, *args: str | Path) -> list[Object]:
        """Renders the chart as objects."""
        return list(objects(self.template(*args)))


def objects(text: str) -> Iterator[Object]:
    """Reads the documents of a rendering."""
    for document in YAML(typ="safe", pure=True).load_all(text):
        if document:
            yield document


def one(rendered: list[Object], kind: str, name: str = FULLNAME) -> Object:
    """The object of that kind and name."""
    (found,) = [
        item for item in rendered if item["kind"] == kind and item["metadata"]["name"] == name
    ]
    return found


def settings(values: Mapping[str, Any]) -> list[str]:
    """Flags that set values; a value is JSON text."""
    return [f"--set-json={key}={text}" for key, text in values.items()]
