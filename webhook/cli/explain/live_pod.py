"""Explains a pod of a cluster: what was injected, or why nothing was."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import msgspec
from kubernetes.client import V1MutatingWebhookConfiguration, V1Namespace, V1Pod
from msgspec import Struct

from webhook.cli.check.configuration import excluded_namespaces, is_ours, webhook_faults
from webhook.cli.explain import history, pod_checks
from webhook.cli.explain.drawing import Answer, Explanation, Note, Row, reason_notes
from webhook.cli.live import (
    POD_SECURITY,
    STRICT_LEVELS,
    LiveCluster,
    container_statuses,
    pod_state,
    stopped_state,
)
from webhook.cli.manifests.admission import AssumedCluster, NotSent, excluded
from webhook.cli.manifests.objects import Object, Template
from webhook.config import Config, Mode
from webhook.injection import Admission, Injected, Outcome, decide
from webhook.injection.annotations import STATUS
from webhook.injection.decisions import Audit, listed, printable
from webhook.injection.inject import Status
from webhook.injection.optin import INJECT
from webhook.injection.pod import Pod
from webhook.injection.shape import ExistingInjection, find_existing_injection


class NoSuchPod(click.ClickException):
    """The cluster has no such pod."""

    exit_code = os.EX_NOINPUT


class _Case(Struct, frozen=True):
    """A pod and what is known about it.

    Attributes:
        found: the pod as an object of a manifest.
        template: the same, as the core reads it.
        pod: as the cluster has it.
        namespace: its namespace.
        configurations: the webhook configurations of ours.
        cluster: what the namespace and the configuration file say.
        config_note: which configuration file the checks use.
    """

    found: Object
    template: Template
    pod: V1Pod
    namespace: V1Namespace
    configurations: Sequence[V1MutatingWebhookConfiguration]
    cluster: AssumedCluster
    config_note: Note


def explain_pod(
    live: LiveCluster, namespace: str, name: str, config: Config, config_file: Path | None
) -> Explanation:
    """Explain a pod of a cluster.

    Args:
        live: the cluster.
        namespace: the pod's.
        name: the pod's.
        config: the configuration; a user may not read the cluster's own.
        config_file: where it is from, None for the defaults.

    Raises:
        NoSuchPod: there is no pod of that name.
    """
    pod = live.pod(namespace, name)
    home = live.namespace(namespace)
    if pod is None or home is None:
        raise NoSuchPod(f"namespace {printable(namespace)} has no pod {printable(name)}")
    data = live.as_json(pod)
    template = Template((), data, msgspec.convert(data, Pod))
    label = (home.metadata.labels or {}).get(INJECT)
    source = "the default configuration; --config names a file"
    if config_file is not None:
        source = f"the configuration file {config_file}"
    case = _Case(
        found=Object(f"pod/{name}", namespace, data),
        template=template,
        pod=pod,
        namespace=home,
        configurations=[found for found in live.configurations() if is_ours(found)],
        cluster=AssumedCluster(config, namespace, labels={namespace: label}),
        config_note=("", f"the checks below use {source}"),
    )
    existing = find_existing_injection(template.pod)
    return _explain_skipped(case) if existing is None else _explain_injected(case, existing)


def _explain_injected(case: _Case, existing: ExistingInjection) -> Explanation:
    """Say what the pod has; its spec counts, not the annotation that anyone may change."""
    containers = [
        container.name
        for container in case.template.pod.all_containers()
        if container is not existing.container
        and any(mount.name == existing.volume for mount in container.volume_mounts or ())
    ]
    image = existing.container.image or ""
    notes: list[Note] = [
        ("mode", existing.mode.value),
        ("image", printable(image)),
        ("containers with Docker", listed(containers)),
        ("state", _container_state(case.pod, existing.container.name)),
    ]
    detail = f"mode {existing.mode.value}"
    status = _status(case)
    if status is None:
        notes.append(("hint", f"annotation {STATUS} is missing or cannot be read"))
    else:
        detail = f"profile {printable(status.profile)}, {detail}"
        notes.append(("profile", f"{printable(status.profile)} (annotation {STATUS})"))
        notes.append(("by", f"dind-webhook {printable(status.version)} (annotation {STATUS})"))
        found = Status("", existing.mode.value, "", image, containers)
        notes += [("hint", text) for text in _contradictions(status, found)]
    row = Row("this pod", "Does it have Docker?", Answer.YES, notes)
    subject = pod_checks.subject_of(case.found, case.cluster)
    return Explanation(*subject, Outcome.INJECTED, detail, [row])


def _status(case: _Case) -> Status | None:
    annotation = case.template.pod.annotations.get(STATUS, "")
    try:
        return msgspec.json.decode(annotation, type=Status)
    except msgspec.DecodeError:
        return None


def _contradictions(status: Status, found: Status) -> Iterator[str]:
    pairs = (
        ("mode", status.mode, found.mode),
        ("image", status.image, found.image),
        ("containers", listed(sorted(status.containers)), listed(sorted(found.containers))),
    )
    for name, told, actual in pairs:
        if told != actual:
            yield (
                f"annotation {STATUS} contradicts the pod: {name} {printable(told)} "
                f"(in the pod: {printable(actual)})"
            )


def _container_state(pod: V1Pod, name: str) -> str:
    for status in container_statuses(pod):
        if status.name == name:
            stopped = stopped_state(status)
            if stopped is None:
                return f"container {name} is running"
            words = (stopped.reason, stopped.message)
            return printable(f"container {name}: {' '.join(word for word in words if word)}")
    return f"container {name} has not started; the pod {printable(pod_state(pod))}"


def _explain_skipped(case: _Case) -> Explanation:
    subject = pod_checks.subject_of(case.found, case.cluster)
    admission = _admission(case)
    if isinstance(admission, NotSent):
        return pod_checks.explain_not_sent(subject, admission)
    config = case.cluster.config
    decision = decide(admission, config)
    rows = [
        pod_checks.sent_row(admission, case.config_note, *_hints(case)),
        *pod_checks.check_rows(admission, config),
    ]
    outcome, detail = decision.reason.outcome, pod_checks.detail_of(decision)
    if isinstance(decision, Injected):
        rows.append(_check_pod_security(case, decision.audit))
        if rows[-1].answer is Answer.DENIED:
            outcome, detail = Outcome.DENIED, "pod-security"
    if outcome is not Outcome.SKIPPED:
        metadata = case.pod.metadata, case.namespace.metadata
        cause = history.find_cause(*metadata, case.configurations, admission)
        question = "Was this the same when it was created?"
        notes = reason_notes(cause.sentence, cause.fix)
        rows.append(Row("this pod", question, Answer.SKIPPED, notes))
        if outcome is Outcome.INJECTED:
            outcome, detail = Outcome.SKIPPED, cause.slug
    return Explanation(*subject, outcome, detail, rows, pod_checks.warnings_of(decision))


def _admission(case: _Case) -> Admission | NotSent:
    """Return what the API server of this cluster would send for such a pod today."""
    namespace = case.namespace.metadata.name
    if case.configurations and all(
        namespace in excluded_namespaces(found) for found in case.configurations
    ):
        return excluded(namespace)
    admission = case.cluster.admission(case.found, case.template)
    if isinstance(admission, NotSent):
        hints = [*admission.hints, *_controller_hints(case)]
        return msgspec.structs.replace(admission, hints=hints)
    if not case.configurations:
        return NotSent(
            "not-installed",
            "The cluster has no MutatingWebhookConfiguration of dind-webhook.",
            "dind-webhook check shows more.",
        )
    return admission


def _controller_hints(case: _Case) -> list[str]:
    owners = case.template.pod.metadata.owner_references or ()
    return [
        f"{owner.kind} {printable(owner.name)} created the pod; the annotation belongs in its pod "
        "template (spec.template.metadata.annotations)"
        for owner in owners[:1]
    ]


def _hints(case: _Case) -> list[Note]:
    hints = []
    if STATUS in case.template.pod.annotations:
        hints.append(f"annotation {STATUS} contradicts the pod, which has no injected container")
    if any(list(webhook_faults(found)) for found in case.configurations):
        hints.append("the webhook configuration is broken: see dind-webhook check")
    return [("hint", hint) for hint in hints]


def _check_pod_security(case: _Case, audit: Audit) -> Row:
    """Check what the API server checks after the webhook, of the pod with its sidecar."""
    name, question = "pod security", "Does the namespace admit such a pod?"
    level = (case.namespace.metadata.labels or {}).get(POD_SECURITY)
    privileged = case.cluster.config.profiles[audit.profile].privileged
    needs_host = audit.mode == Mode.NODE.value
    if level not in STRICT_LEVELS or (level == "baseline" and not needs_host and not privileged):
        return Row(name, question, Answer.YES)
    denied = "privileged sidecar" if privileged else "sidecar that runs as root"
    notes = reason_notes(
        f"The namespace is labelled {POD_SECURITY}: {level}, which denies a "
        f"{'hostPath volume' if needs_host else denied}.",
        f"Ask its owner to label it {POD_SECURITY}: privileged, or use another namespace.",
    )
    return Row(name, question, Answer.DENIED, notes)
