"""Explains a pod that exists: what it got, or why it got nothing."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import msgspec
from msgspec import Struct

from webhook.cli import history, registration, walk
from webhook.cli.checks import POD_SECURITY, STRICT_LEVELS
from webhook.cli.cluster import Cluster, NotAsked
from webhook.cli.live import LiveCluster
from webhook.cli.manifests import Object, Template
from webhook.cli.objects import Configuration, LivePod, Namespace
from webhook.cli.tables import Explanation, Note, Row
from webhook.injection import Admission, Injected, Outcome, decide
from webhook.injection.annotations import STATUS
from webhook.injection.config import Config, Mode
from webhook.injection.decisions import Audit, printable
from webhook.injection.existing import ExistingInjection, find_existing_injection
from webhook.injection.inject import Status
from webhook.injection.optin import INJECT
from webhook.injection.pod import Pod


class NoSuchPod(click.ClickException):
    """The cluster has no such pod."""

    exit_code = os.EX_NOINPUT


class _Case(Struct, frozen=True):
    """What was read of a cluster about one pod.

    Attributes:
        found: the pod as a manifest.
        template: the same, as the core reads it.
        pod: its metadata and status.
        home: its namespace.
        configurations: the webhook configurations of ours.
        cluster: what that comes to.
        config_note: which operator's file the gates are read with.
    """

    found: Object
    template: Template
    pod: LivePod
    home: Namespace
    configurations: Sequence[Configuration]
    cluster: Cluster
    config_note: Note


def explain(
    live: LiveCluster, namespace: str, name: str, config: Config, config_file: Path | None
) -> Explanation:
    """Explain a pod of a live cluster.

    Args:
        live: the cluster.
        namespace: the pod's.
        name: the pod's.
        config: the operator's file, or the built-in defaults.
        config_file: where the file is; the cluster's own needs rights that a user does not have.

    Raises:
        NoSuchPod: there is none of that name.
    """
    data = live.pod(namespace, name)
    home = live.namespace(namespace)
    if data is None or home is None:
        raise NoSuchPod(f"namespace {printable(namespace)} has no pod {printable(name)}")
    configurations = [one for one in live.configurations() if registration.is_ours(one)]
    template = Template((), data, msgspec.convert(data, Pod))
    case = _Case(
        found=Object(f"pod/{name}", namespace, data, template),
        template=template,
        pod=msgspec.convert(data, LivePod),
        home=home,
        configurations=configurations,
        cluster=Cluster(namespace, home.metadata.labels.get(INJECT), config),
        config_note=("", _config_note(config_file)),
    )
    earlier = find_existing_injection(template.pod)
    return _explain_without(case) if earlier is None else _explain_injected(case, earlier)


def _config_note(path: Path | None) -> str:
    if path is not None:
        return f"the gates below follow the operator's file {path}"
    return "the gates below follow the built-in defaults; --config names the operator's file"


def _explain_injected(case: _Case, earlier: ExistingInjection) -> Explanation:
    subject = walk.subject_of(case.found, case.cluster)
    mode = earlier.mode.value
    told: list[Note] = [("mode", mode)]
    title = f"mode {mode}"
    status = _status(case.pod.metadata.annotations)
    if status is None:
        told.append(("hint", f"the annotation {STATUS}, which tells the rest, was removed"))
    else:
        title = f"profile {status.profile}, {title}"
        told += [
            ("profile", printable(status.profile)),
            ("image", printable(status.image)),
            ("containers with Docker", printable(", ".join(status.containers)) or "none"),
            ("by", f"dind-webhook {printable(status.version)}"),
        ]
    told.append(("state", _state(case.pod, earlier.container.name)))
    row = Row("this pod", "Has it got Docker?", None, told)
    return Explanation(subject, Outcome.INJECTED, title, [row], ())


def _status(annotations: Mapping[str, str]) -> Status | None:
    try:
        return msgspec.json.decode(annotations.get(STATUS, ""), type=Status)
    except msgspec.DecodeError:
        return None


def _state(pod: LivePod, container: str) -> str:
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        if status.name == container:
            stopped = status.state.waiting or status.state.terminated
            if stopped is None:
                return f"container {container} runs"
            return printable(f"container {container}: {stopped.reason} {stopped.message}".rstrip())
    return f"container {container} has not started; the pod {pod.state}"


def _explain_without(case: _Case) -> Explanation:
    subject = walk.subject_of(case.found, case.cluster)
    answer = _ask(case)
    if isinstance(answer, NotAsked):
        return walk.unasked(subject, answer)
    config = case.cluster.config
    decision = decide(answer, config)
    rows = [walk.asked(answer, case.config_note, *_hints(case)), *walk.gates(answer, config)]
    if isinstance(decision, Injected):
        rows.append(_pod_security(case, decision.audit))
    outcome = _worst(rows)
    if isinstance(decision, Injected) and outcome is Outcome.DENIED:
        detail = "pod-security"
    else:
        detail = walk.detail(decision)
    if outcome is not Outcome.SKIPPED:
        then = history.then(case.pod.metadata, case.home.metadata, case.configurations, answer)
        rows.append(
            Row(
                "this pod",
                "Was it treated like that when it was created?",
                Outcome.SKIPPED,
                walk.notes(then.why, then.fix),
            )
        )
        if outcome is Outcome.INJECTED:
            outcome, detail = Outcome.SKIPPED, then.slug
    return Explanation(subject, outcome, detail, rows, walk.warnings(decision))


def _worst(rows: Sequence[Row]) -> Outcome:
    verdicts = [row.verdict for row in rows]
    for outcome in (Outcome.DENIED, Outcome.SKIPPED):
        if outcome in verdicts:
            return outcome
    return Outcome.INJECTED


def _ask(case: _Case) -> Admission | NotAsked:
    """Tell what the API server of this cluster would do with such a pod today."""
    namespace = case.home.metadata.name
    if case.configurations and all(
        namespace in registration.excluded_namespaces(one) for one in case.configurations
    ):
        return NotAsked(
            "excluded-namespace",
            f"The webhook is never asked about pods in {namespace}.",
            "Use another namespace.",
        )
    answer = case.cluster.ask(case.found, case.template)
    if isinstance(answer, NotAsked):
        return msgspec.structs.replace(answer, hints=[*answer.hints, *_of_controller(case)])
    if not case.configurations:
        return NotAsked(
            "not-registered",
            "The cluster has no MutatingWebhookConfiguration of dind-webhook: nobody is asked.",
            "dind-webhook check says more.",
        )
    return answer


def _of_controller(case: _Case) -> list[str]:
    owners = case.template.pod.metadata.owner_references or ()
    return [
        f"{owner.kind} {printable(owner.name)} made the pod; the annotation counts in its pod "
        "template (spec.template.metadata.annotations) only"
        for owner in owners[:1]
    ]


def _hints(case: _Case) -> list[Note]:
    hints = []
    if STATUS in case.pod.metadata.annotations:
        hints.append(
            f"the annotation {STATUS} is a copy: the container of which it tells is missing"
        )
    if any(list(registration.faults(one)) for one in case.configurations):
        hints.append("the webhook configuration is not as it should be: see dind-webhook check")
    return [("hint", hint) for hint in hints]


def _pod_security(case: _Case, audit: Audit) -> Row:
    """Ask what the API server asks after the webhook, of the pod with its sidecar."""
    name, question = "pod security", "Does the namespace let such a daemon in?"
    level = case.home.metadata.labels.get(POD_SECURITY)
    privileged = case.cluster.config.profiles[audit.profile].privileged
    needs = "hostPath volume" if audit.mode == Mode.NODE.value else "privileged sidecar"
    if level not in STRICT_LEVELS or (
        level == "baseline" and needs == "privileged sidecar" and not privileged
    ):
        return Row(name, question, None, [])
    if needs == "privileged sidecar" and not privileged:
        needs = "sidecar that runs as root"
    told = walk.notes(
        f"The namespace is labelled {POD_SECURITY}: {level}, which refuses a {needs}.",
        f"Ask its owner to label it {POD_SECURITY}: privileged, or use another namespace.",
    )
    return Row(name, question, Outcome.DENIED, told)
