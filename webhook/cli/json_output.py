"""What `-o json` prints, which scripts rely on.

These types are the schema: docs/administrators/json-output.md is written from them, and from those
of the commands that look inside a pod (inside/output.py).
"""

import json
from collections.abc import Sequence
from typing import Annotated, Literal

import click
import msgspec
from msgspec import Meta, Struct

output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Output format.",
)


class NoteOutput(Struct, frozen=True):
    """`notes` of a check."""

    kind: Annotated[
        str,
        Meta(
            description="`why`, `fix` or `hint`; empty if `text` needs no label. For an injected "
            "pod, also what was found, such as `image`."
        ),
    ]
    text: Annotated[str, Meta(description="For users; the wording may change.")]


class CheckOutput(Struct, frozen=True):
    """`checks` of a pod."""

    check: Annotated[str, Meta(description="Name of the check.")]
    question: Annotated[str, Meta(description="What the check asks.")]
    result: Annotated[
        Literal["ok", "skipped", "denied", "not evaluated"],
        Meta(description="The answer; `not evaluated` after a check on which this one depends."),
    ]
    notes: Annotated[Sequence[NoteOutput], Meta(description="Reasons, fixes and hints.")]


class PodOutput(Struct, frozen=True, rename="camel"):
    """`pods` of `explain`."""

    name: Annotated[str, Meta(description="Kind and name of the object, such as `job/build`.")]
    namespace: Annotated[str, Meta(description="Namespace in which the pod is created.")]
    namespace_label: Annotated[
        str | None, Meta(description="Label `dind.io/inject` of the namespace; null: none.")
    ]
    result: Annotated[
        Literal["injected", "skipped", "denied"], Meta(description="What happens to the pod.")
    ]
    reason: Annotated[str, Meta(description="Name of the reason, as in reasons.md.")]
    profile: Annotated[str | None, Meta(description="Profile of an injected pod; null: unknown.")]
    mode: Annotated[str | None, Meta(description="Mode of an injected pod: `sidecar` or `node`.")]
    decided_by: Annotated[
        str | None, Meta(description="Name of the check that decided; null: all checks passed.")
    ]
    file: Annotated[
        str | None, Meta(description="File of the object; null if there is only one file, or none.")
    ]
    warnings: Annotated[Sequence[str], Meta(description="Warnings of the webhook.")]
    checks: Annotated[Sequence[CheckOutput], Meta(description="Every check, in order.")]


class OtherOutput(Struct, frozen=True, rename="camel"):
    """`notExplained` of `explain`."""

    name: Annotated[str, Meta(description="Kind and name of the object.")]
    namespace: Annotated[str, Meta(description="Namespace of the object.")]
    note: Annotated[str, Meta(description="How its pods are created; for users.")]
    file: Annotated[str | None, Meta(description="As in `pods`.")]


class ExplainOutput(Struct, frozen=True, rename="camel"):
    """`explain -o json`."""

    result: Annotated[
        Literal["injected", "skipped", "denied"],
        Meta(description="The worst result of any pod; it determines the exit code."),
    ]
    pods: Annotated[Sequence[PodOutput], Meta(description="Every pod, in the order of the input.")]
    not_explained: Annotated[
        Sequence[OtherOutput],
        Meta(description="Objects whose pods a controller creates later; they are decided then."),
    ]


class FindingOutput(Struct, frozen=True):
    """`findings` of `check`."""

    subject: Annotated[
        str, Meta(description="`cluster`, or a MutatingWebhookConfiguration with its name.")
    ]
    check: Annotated[str, Meta(description="Name of the check.")]
    status: Annotated[
        Literal["ok", "unknown", "warning", "broken"], Meta(description="Result of the check.")
    ]
    message: Annotated[str, Meta(description="For users; the wording may change.")]
    fix: Annotated[str, Meta(description="What to do about it; empty: nothing.")]


class ClusterOutput(Struct, frozen=True):
    """`check -o json`."""

    status: Annotated[
        Literal["ok", "unknown", "warning", "broken"],
        Meta(description="The worst status of any finding."),
    ]
    findings: Annotated[Sequence[FindingOutput], Meta(description="Every finding, in order.")]


class ConfigOutput(Struct, frozen=True, rename="camel"):
    """`config check -o json`."""

    file: Annotated[str, Meta(description="The file; `standard input` for `-`.")]
    is_valid: Annotated[
        bool, Meta(description="Whether the service would use the file; if not, exit code 65.")
    ] = msgspec.field(name="valid")
    problems: Annotated[
        Sequence[str], Meta(description="Path of the key, what is wrong, and what is accepted.")
    ]
    warnings: Annotated[Sequence[str], Meta(description="Such as expired certificates.")]
    profiles: Annotated[Sequence[str], Meta(description="Names of the profiles of a valid file.")]
    default_profile: Annotated[
        str | None, Meta(description="Name of the default profile of a valid file.")
    ]


class ReplicaOutput(Struct, frozen=True):
    """`replicas` of `version`."""

    namespace: Annotated[str, Meta(description="Namespace of the pod.")]
    pod: Annotated[str, Meta(description="Name of the pod.")]
    version: Annotated[
        str | None, Meta(description="Its label `app.kubernetes.io/version`; null: none.")
    ]
    state: Annotated[str, Meta(description="`ready`, or why it is not; for users.")]
    image: Annotated[str, Meta(description="Image of the container `webhook`.")]


class VersionOutput(Struct, frozen=True):
    """`version -o json`."""

    client: Annotated[str, Meta(description="Version of the command.")]
    kubernetes: Annotated[
        str | None, Meta(description="Version of the API server; null: it was not asked.")
    ] = None
    replicas: Annotated[
        Sequence[ReplicaOutput], Meta(description="Pods of the webhook; empty: none were found.")
    ] = ()
    note: Annotated[str, Meta(description="Why something is missing or unusual; for users.")] = ""


#: What each command prints.
OUTPUTS: Sequence[type[Struct]] = (ExplainOutput, ClusterOutput, ConfigOutput, VersionOutput)


def as_json(output: Struct, indent: int | None = None) -> str:
    """Write what a command found as JSON in ASCII, which no terminal or encoding misreads."""
    return json.dumps(msgspec.to_builtins(output), indent=indent)


def print_json(output: Struct) -> None:
    """Print what a command found as JSON."""
    click.echo(as_json(output, indent=2))
