"""Writes the pages of docs/ that repeat what the code says, from the code.

tools/docs.py           writes them
tools/docs.py --check   fails when one is not what it would write
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path as FilePath
from typing import Any

from msgspec import to_builtins

from webhook.injection import Outcome, Reason
from webhook.injection.annotations import STATUS, TABLE
from webhook.injection.config import Config, Policy, Profile
from webhook.injection.optin import INJECT
from webhook.operator import schema
from webhook.operator.problem import Path
from webhook.operator.schema import Rules

DOCS = FilePath(__file__).parents[1] / "docs"
NOTE = "<!-- Written by tools/docs.py; change the code instead. -->"


def annotations() -> Iterator[str]:
    """The page of the annotations."""
    yield "# Annotations"
    yield NOTE
    yield (
        f'A pod opts in with `{INJECT}: "true"`, and out with `"false"`; any other value is '
        f'denied. On a namespace, the label `{INJECT}: "true"` opts its pods in, and `"false"` '
        "forbids Docker there. The annotations below configure the daemon."
    )
    yield (
        "By default a pod may use `dind.io/profile` and `dind.io/containers`. The administrator "
        "can change this with `policy.annotations` ([configuration](configuration.md)). Pods with an "
        "invalid value, or with an annotation below `dind.io/` that is not listed here, are denied."
    )
    rows = [(f"`{row.key}`", row.help, f"`{row.example}`", row.default) for row in TABLE]
    yield table(("annotation", "what it does", "example", "without it"), rows)
    yield (
        f"`{STATUS}` is written by the webhook: the decision as JSON, with version, mode, profile, "
        "image and the containers that got the socket."
    )


def reasons() -> Iterator[str]:
    """The page of the reasons for which a pod is injected, skipped or denied."""
    yield "# Reasons"
    yield NOTE
    yield (
        "Every decision has a reason. Its name is the value of the metric label `reason`; it is "
        "also in the logs and in the output of `dind-webhook explain`."
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
    """The page of the operator's file."""
    yield "# The operator's file"
    yield NOTE
    yield (
        "`dind-webhook serve --config FILE` reads it, in the chart from a ConfigMap. It is strict: "
        "an unknown key is an error that names it. `dind-webhook config check FILE` checks a file, "
        "`config show` prints it with every default, and `config schema` prints its JSON Schema. "
        "`{}` keeps every default."
    )
    yield (
        "The file is re-read when its content changes. A bad one is logged, counted and ignored; "
        "the last good one stays."
    )
    rules = Rules(schema())
    head = ("key", "meaning", "allowed", "default")
    yield "## Top level"
    yield table(head, list(keys(rules, (), to_builtins(Config()), deep=False)))
    yield "## A profile: `profiles.<name>`"
    yield table(head, list(keys(rules, ("profiles", "*"), to_builtins(Profile()))))
    yield "## The policy: `policy`"
    yield table(head, list(keys(rules, ("policy",), to_builtins(Policy()))))


def keys(
    rules: Rules, path: Path, defaults: dict[str, Any], prefix: str = "", *, deep: bool = True
) -> Iterator[tuple[str, str, str, str]]:
    """Every key of a mapping, and of those below it."""
    for name, described in rules.at(path)["properties"].items():
        here, shown = (*path, name), prefix + name
        default = defaults.get(name)
        below, inner, dots = rules.at(here), here, "."
        if below.get("type") == "array":
            inner, dots = (*here, 0), "[]."
        is_mapping = "properties" in rules.at(inner)
        allowed = "" if is_mapping else rules.allowed(here)
        given = "" if isinstance(default, dict) or default is None else f"`{json.dumps(default)}`"
        yield f"`{shown}`", described["description"], allowed, given
        if is_mapping and deep:
            inherited = default if isinstance(default, dict) else {}
            yield from keys(rules, inner, inherited, shown + dots)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


PAGES = {
    "annotations.md": annotations,
    "configuration.md": configuration,
    "reasons.md": reasons,
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
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(f"docs/{name}")
    if stale:
        print(f"{', '.join(stale)}: not what the code says; run tools/docs.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
