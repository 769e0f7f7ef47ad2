"""Generates the pages of docs/ that describe tables and models of the code.

tools/docs.py           writes them
tools/docs.py --check   fails when one is not what it would write
"""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from msgspec.json import schema_components
from pydantic import BaseModel
from pydantic_core import to_jsonable_python
from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

from webhook.cli.inside.output import OUTPUTS as OUTPUTS_INSIDE
from webhook.cli.json_output import OUTPUTS
from webhook.config import Config, Policy, Profile
from webhook.config.fields import Accepts
from webhook.injection import Outcome, Reason
from webhook.injection.annotations import STATUS, TABLE
from webhook.injection.optin import EXCLUDED_NAMESPACES, INJECT

_ROOT = Path(__file__).parents[1]
DOCS = _ROOT / "docs"
NOTE = "<!-- Written by tools/docs.py; change the code instead. -->"
_EXPLAIN = ("explain", "-f", "examples/jenkins-agent.yaml")
# rich's own format loads a font from another site.
_SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px; white-space: pre; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>"""
_MAPPINGS = ((tuple, "a list"), (dict, "a mapping"))
_PLAIN = {bool: "true or false", str: "a string"}


def annotations() -> Iterator[str]:
    """The page of the annotations."""
    yield "# Annotations"
    yield NOTE
    yield (
        f'A pod opts in with `{INJECT}: "true"`, and out with `"false"`; any other value is '
        f'denied. On a namespace, the label `{INJECT}: "true"` opts its pods in, and `"false"` '
        "forbids Docker there; any other value counts as absent. The annotations below configure "
        "the daemon."
    )
    yield (
        "By default a pod may use `dind.io/profile` and `dind.io/containers`. The administrator "
        "can change this with `policy.annotations` "
        "([configuration](../administrators/configuration.md)). Pods with an invalid value, or "
        "with an annotation below `dind.io/` that is not listed here, are denied."
    )
    rows = [(f"`{row.key}`", row.help, f"`{row.example}`", row.default) for row in TABLE]
    yield table(("annotation", "what it does", "example", "without it"), rows)
    yield (
        f"The webhook writes `{STATUS}`: the decision as JSON, with version, mode, profile, "
        "image, the containers that got the socket, and the directory of the node with shared "
        "image stores."
    )


def reasons() -> Iterator[str]:
    """The page of the reasons for which a pod is injected, skipped or denied."""
    yield "# Reasons"
    yield NOTE
    yield (
        "Every decision has a reason. Its name is the value of the metric label `reason`; it is "
        "also in the logs and in the output of `dind-webhook explain`."
    )
    yield (
        "`explain` and `inject` also print `excluded-namespace`: the API server never calls the "
        f"webhook for pods in {', '.join(EXCLUDED_NAMESPACES)}, the namespace of the release and "
        "the namespaces in `webhook.excludedNamespaces`. For a pod of a "
        "cluster, `explain` has [more reasons](../administrators/diagnostics.md#explain-pod)."
    )
    for outcome in Outcome:
        yield f"## {outcome.value.capitalize()}"
        rows = [
            (f"`{reason.slug}`", reason.sentence, reason.fix)
            for reason in Reason
            if reason.outcome is outcome
        ]
        yield table(("reason", "meaning", "fix"), rows)


def configuration() -> Iterator[str]:
    """The page of the configuration file."""
    yield "# The configuration file"
    yield NOTE
    yield (
        "`dind-webhook serve --config FILE` reads the configuration file; the chart writes it to a "
        "ConfigMap. It is one YAML document of at most 256 KiB, without anchors, aliases and tags. "
        "Unknown and duplicate keys are errors. Every key has a default, so `{}` is valid."
    )
    yield (
        "`dind-webhook config check FILE` reports every problem of a file (contradictions in a "
        "part of a profile once its values are valid), `dind-webhook config show --config FILE` "
        "prints the file with every default, and `dind-webhook config schema` prints its JSON "
        "Schema."
    )
    yield (
        "The service reads the file again when it changes. An invalid file is logged, counted and "
        "ignored: the last valid one stays in use."
    )
    head = ("key", "meaning", "accepted", "default")
    yield "## Top level"
    yield table(head, list(keys(Config, Config(), deep=False)))
    yield "## A profile: `profiles.<name>`"
    yield (
        "A profile inherits nothing from another profile, nor from `default`: a key that it does "
        "not set has the default in this table."
    )
    yield table(head, list(keys(Profile, Profile())))
    yield "## The policy: `policy`"
    yield "`maximum` limits what a pod asks for with annotations. A profile may have higher limits."
    yield table(head, list(keys(Policy, Policy())))


def keys(
    model: type[BaseModel], defaults: object, within: str = "", *, deep: bool = True
) -> Iterator[tuple[str, str, str, str]]:
    """Every key of a mapping, and of those below it.

    Args:
        model: the mapping's type.
        defaults: the mapping with every default, None where there is none, as of a list's items.
        within: what precedes its keys.
        deep: go into the mappings below it.
    """
    for name, field in model.model_fields.items():
        default = getattr(defaults, name, None)
        below = next(models(field.annotation), None)
        accepted = words(field.annotation, field.metadata)
        if below:
            kinds = (name for kind, name in _MAPPINGS if isinstance(default, kind))
            accepted = next(kinds, "")
        is_value = default is not None and not isinstance(default, BaseModel | dict)
        given = f"`{json.dumps(to_jsonable_python(default))}`" if is_value else ""
        yield f"`{within}{field.alias}`", field.description or "", accepted, given
        if below and deep:
            if isinstance(default, dict):
                yield from keys(below, below(), f"{within}{field.alias}.<host>.")
                continue
            dots = "[]." if isinstance(default, tuple) else "."
            yield from keys(below, default, f"{within}{field.alias}{dots}")


def models(kind: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - a type of any sort
    """The mappings with keys of their own in a type."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for part in get_args(kind):
        yield from models(part)


def words(kind: Any, metadata: Sequence[object] = ()) -> str:  # noqa: ANN401 - a type of any sort
    """What a type accepts."""
    for note in metadata:
        if isinstance(note, Accepts):
            return note.words
    origin, parts = get_origin(kind), [part for part in get_args(kind) if part is not NoneType]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        accepted = "a mapping"
    elif origin is None:
        accepted = _PLAIN.get(kind) or ", ".join(json.dumps(value) for value in kind)
    elif origin is Annotated:
        accepted = words(kind.__origin__, kind.__metadata__)
    elif origin is Literal:
        accepted = ", ".join(json.dumps(value) for value in parts)
    elif origin is dict:
        accepted = f"a mapping, each value {words(parts[1])}"
    elif origin in (tuple, list):
        accepted = f"a list, each item {words(parts[0])}"
    else:
        accepted = " or ".join(words(part) for part in parts)
    return accepted


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def json_output() -> Iterator[str]:
    """The page of what -o json prints."""
    yield "# JSON output"
    yield NOTE
    yield (
        "`dind-webhook explain`, `check`, `config check`, `version`, `ps`, `images`, `df`, `top` "
        "and `logs` print JSON with `-o json`, in ASCII. The exit code is that of the text output. "
        "Errors that leave nothing to report, such as a manifest that is not YAML or a cluster "
        "that cannot be reached, are text on standard error. Later versions may add fields. "
        "[json-output.schema.json](json-output.schema.json) is the JSON Schema (draft 2020-12) of "
        "all."
    )
    _, definitions = _output_schemas()
    for definition in definitions.values():
        yield f"## {definition['description'].removesuffix('.')}"
        rows = [
            (f"`{name}`", _type_of(field), field["description"])
            for name, field in definition["properties"].items()
        ]
        yield table(("field", "type", "meaning"), rows)


def json_output_schema() -> Iterator[str]:
    """The JSON Schema of what -o json prints."""
    outputs, definitions = _output_schemas()
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Output of dind-webhook with -o json",
        "anyOf": outputs,
        "$defs": definitions,
    }
    yield json.dumps(schema, indent=2)


def _output_schemas() -> tuple[Sequence[dict[str, Any]], dict[str, dict[str, Any]]]:
    """The schema of each command, and those of its parts, each after what contains it."""
    types = (*OUTPUTS, *OUTPUTS_INSIDE)
    outputs, definitions = schema_components(types, ref_template="#/$defs/{name}")
    return list(outputs), definitions


def _type_of(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(map(_type_of, field["anyOf"]))
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "$ref" in field:
        return "object"
    if field["type"] == "array":
        items = _type_of(field["items"])
        return f"list of {items}s"
    return str(field["type"])


def explanation() -> Iterator[str]:
    """The picture of the README: a terminal with the output of `dind-webhook explain`, as SVG."""
    console = Console(record=True, width=80, file=io.StringIO(), legacy_windows=False)
    console.print(Text(f"$ dind-webhook {' '.join(_EXPLAIN)}"), highlight=False)
    said = subprocess.run(
        [Path(sys.executable).with_name("dind-webhook"), *_EXPLAIN],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "80", "KUBECONFIG": os.devnull},
    )
    console.print(Text(said.stdout.rstrip()))
    svg = console.export_svg(
        title="", code_format=_SVG, unique_id="explain", theme=SVG_EXPORT_THEME
    )
    yield "\n".join(line.rstrip() for line in svg.splitlines())


PAGES = {
    "users/annotations.md": annotations,
    "administrators/configuration.md": configuration,
    "users/reasons.md": reasons,
    "administrators/json-output.md": json_output,
    "administrators/json-output.schema.json": json_output_schema,
    "explain.svg": explanation,
}


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them."""
    if arguments not in ([], ["--check"]):
        print("tools/docs.py takes no argument but --check", file=sys.stderr)
        return 64
    stale = []
    for name, page in PAGES.items():
        text = "\n\n".join(page()) + "\n"
        path = DOCS / name
        if not arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(f"docs/{name}")
    if stale:
        print(f"{', '.join(stale)}: not what the code says; run tools/docs.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
