"""kubeconform accepts what the chart renders, by the schemas of the pinned Kubernetes."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from apiserver.chart.helm import CI_VALUES, Helm, Object
from apiserver.chart.test_acceptance import FOREIGN
from kube.controlplane import ControlPlane

from tools.build import ensure

pytestmark = pytest.mark.apiserver("helm", "kubeconform")

DEFINITIONS = "definitions.json"


@pytest.fixture(scope="module")
def schemas(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The API server's own OpenAPI schemas as JSON Schema files, one for each kind."""
    directory = tmp_path_factory.mktemp("schemas")
    client = control_plane.client
    definitions: dict[str, Any] = {}
    for path in client.get("/openapi/v3").raise_for_status().json()["paths"].values():
        document = client.get(path["serverRelativeURL"]).raise_for_status().json()
        definitions |= document.get("components", {}).get("schemas", {})
    text = json.dumps({"definitions": {name: strict(s) for name, s in definitions.items()}})
    text = text.replace("#/components/schemas/", f"{DEFINITIONS}#/definitions/")
    (directory / DEFINITIONS).write_text(text)
    for name, schema in definitions.items():
        for kind in schema.get("x-kubernetes-group-version-kind", ()):
            words = [kind["kind"], kind["group"].partition(".")[0], kind["version"]]
            file = directory / f"{'-'.join(filter(None, words)).lower()}.json"
            file.write_text(json.dumps({"$ref": f"{DEFINITIONS}#/definitions/{name}"}))
    return directory


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that takes no unknown field."""
    return {**schema, "additionalProperties": False} if "properties" in schema else schema


def kubeconform(schemas: Path, rendered: list[Object]) -> "subprocess.CompletedProcess[str]":
    location = f"{schemas}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"
    return subprocess.run(
        [ensure("kubeconform"), "-strict", f"-schema-location={location}", "-output=text", "-"],
        input="\n---\n".join(map(json.dumps, rendered)),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "values", [None, *CI_VALUES], ids=lambda path: path.stem if path else "defaults"
)
def test_every_object_has_the_fields_of_its_kind(
    schemas: Path, helm: Helm, values: Path | None
) -> None:
    rendered = helm.objects(*([f"--values={values}"] if values else []))
    known = [item for item in rendered if item["apiVersion"] not in FOREIGN]

    done = kubeconform(schemas, known)

    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_unknown_fields_are_found(schemas: Path, helm: Helm) -> None:
    (deployment, *_) = [item for item in helm.objects() if item["kind"] == "Deployment"]
    deployment["spec"]["template"]["spec"]["hostNetworks"] = True

    done = kubeconform(schemas, [deployment])

    assert done.returncode == 1
    assert "hostNetworks" in done.stdout
