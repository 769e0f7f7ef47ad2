"""Explains a pod of a cluster: what was injected, or why nothing was."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from kubernetes.client import V1MutatingWebhookConfiguration as WebhookConfiguration
from kubernetes.client import V1Namespace, V1Pod
from msgspec import Struct

from webhook.cli.check.configuration import (
    excluded_namespaces,
    is_ours,
    restrictions,
    webhook_faults,
)
from webhook.cli.explain.explanation import (
    Answer,
    Explanation,
    Note,
    Row,
    explain_admission,
    reason_notes,
)
from webhook.cli.explain.history import find_cause
from webhook.cli.live import (
    POD_SECURITY,
    STRICT_LEVELS,
    LiveCluster,
    NoSuchPod,
    container_state,
)
from webhook.cli.manifests.admission import AssumedCluster, NotSent, excluded
from webhook.cli.manifests.objects import Object, Template
from webhook.config import Config, Isolation, Mode
from webhook.config.wording import printable
from webhook.injection import Admission, Injected, Outcome, Reason, decide
from webhook.injection.annotations import STATUS
from webhook.injection.decisions import listed
from webhook.injection.existing import ExistingInjection, find_existing_injection, read_status
from webhook.injection.inject import InjectionStatus
from webhook.injection.optin import INJECT
from webhook.injection.pod import Pod


class _Case(Struct, frozen=True):
    """A pod, as a manifest's object and as the cluster has it, and what the cluster says of it."""

    found: Object
    template: Template
    pod: V1Pod
    namespace: V1Namespace
    configurations: Sequence[WebhookConfiguration]  # of dind-webhook
    cluster: AssumedCluster


def explain_pod(
    live: LiveCluster, namespace: str, name: str, config: Config, config_file: Path | None
) -> Explanation:
    """Explain a pod of a cluster.

    `config` stands for the cluster's own configuration file, which a user may not be able to read.

    Raises:
        NoSuchPod: there is no pod of that name.
    """
    pod, home = live.pod(namespace, name), live.namespace(namespace)
    if pod is None or home is None:
        raise NoSuchPod(f"namespace {printable(namespace)} has no pod {printable(name)}")
    data, label = live.as_json(pod), (home.metadata.labels or {}).get(INJECT)
    template = Template((), data, msgspec.convert(data, Pod))
    case = _Case(
        Object(f"pod/{printable(name)}", namespace, data),
        template,
        pod,
        home,
        [found for found in live.configurations() if is_ours(found)],
        AssumedCluster(config, namespace, labels={namespace: label}),
    )
    existing = find_existing_injection(template.pod)
    if existing is not None:
        return _explain_injected(case, existing)
    source = "the default configuration; --config names a file"
    if config_file is not None:
        source = f"the configuration file {config_file}"
    admission = _admission(case)
    notes = [("", f"the checks below use {source}"), *_cluster_hints(case)]
    subject = case.cluster.subject(case.found)
    explanation = explain_admission(subject, admission, config, *notes)
    if isinstance(admission, NotSent) or explanation.outcome is Outcome.SKIPPED:
        return explanation
    return _with_past(case, admission, explanation)


def _explain_injected(case: _Case, existing: ExistingInjection) -> Explanation:
    """Say what the pod has; its spec counts, not the annotation, which may be edited."""
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
        ("state", container_state(case.pod, existing.container.name)),
    ]
    profile = None
    status = read_status(case.template.pod.annotations.get(STATUS, ""), InjectionStatus)
    if status is None:
        notes.append(("hint", f"annotation {STATUS} is missing or cannot be read"))
    else:
        profile = printable(status.profile)
        notes.append(("profile", f"{profile} (annotation {STATUS})"))
        notes.append(("by", f"dind-webhook {printable(status.version)} (annotation {STATUS})"))
        found = InjectionStatus("", existing.mode.value, "", image, containers)
        notes += [("hint", text) for text in _contradictions(status, found)]
    row = Row("this pod", "Does it have Docker?", Answer.OK, notes)
    subject = case.cluster.subject(case.found)
    return Explanation(
        subject,
        Outcome.INJECTED,
        Reason.INJECTED.slug,
        [row],
        profile=profile,
        mode=existing.mode.value,
    )


def _contradictions(status: InjectionStatus, found: InjectionStatus) -> Iterator[str]:
    for name, claimed, actual in (
        ("mode", status.mode, found.mode),
        ("image", status.image, found.image),
        ("containers", listed(sorted(status.containers)), listed(sorted(found.containers))),
    ):
        if claimed != actual:
            yield (
                f"annotation {STATUS} contradicts the pod: {name} {printable(claimed)} "
                f"(in the pod: {printable(actual)})"
            )


def _admission(case: _Case) -> Admission | NotSent:
    """Return what the API server of this cluster would send for such a pod today."""
    namespace = case.cluster.namespace
    if case.configurations and all(
        namespace in excluded_namespaces(found) for found in case.configurations
    ):
        return excluded(namespace)
    admission = case.cluster.admission(case.found, case.template)
    if isinstance(admission, NotSent):
        owners = case.template.pod.metadata.owner_references or ()
        hints = [
            f"{owner.kind} {printable(owner.name)} created the pod; the annotation belongs in its "
            "pod template (spec.template.metadata.annotations)"
            for owner in owners[:1]
        ]
        return msgspec.structs.replace(admission, hints=[*admission.hints, *hints])
    if case.configurations:
        return admission
    return NotSent(
        "not-installed",
        "The cluster has no MutatingWebhookConfiguration of dind-webhook.",
        "dind-webhook check shows more.",
    )


def _with_past(case: _Case, admission: Admission, explanation: Explanation) -> Explanation:
    """Add why a pod has no Docker although the webhook would not skip it today."""
    outcome, reason, rows = explanation.outcome, explanation.reason, [*explanation.rows]
    decision = decide(admission, case.cluster.config)
    if isinstance(decision, Injected):
        rows.append(_pod_security_row(case, decision))
        if rows[-1].answer is Answer.DENIED:
            outcome, reason = Outcome.DENIED, "pod-security"
    metadata = case.pod.metadata, case.namespace.metadata
    cause = find_cause(*metadata, case.configurations, admission)
    question = "Was this the same when it was created?"
    notes = reason_notes(cause.sentence, cause.fix)
    rows.append(Row("this pod", question, Answer.SKIPPED, notes))
    if outcome is Outcome.INJECTED:
        outcome, reason = Outcome.SKIPPED, cause.slug
    return msgspec.structs.replace(explanation, outcome=outcome, reason=reason, rows=rows)


def _cluster_hints(case: _Case) -> Iterator[Note]:
    if STATUS in case.template.pod.annotations:
        yield "hint", f"annotation {STATUS} contradicts the pod, which has no injected container"
    if any(list(webhook_faults(found)) for found in case.configurations):
        yield "hint", "the webhook configuration is broken: see dind-webhook check"
    restricted = {text for found in case.configurations for text in restrictions(found)}
    if restricted:
        text = f"the webhooks have {listed(sorted(restricted))}, which explain does not evaluate"
        yield "hint", f"{text}: the API server may not call them for this pod"


# What PodSecurity denies, in its level baseline or restricted.
_SIDECARS = {
    Isolation.PRIVILEGED: "privileged sidecar",
    Isolation.USER_NAMESPACE: "sidecar with CAP_SYS_ADMIN",
    Isolation.RUNTIME_CLASS: "sidecar that runs as root",
}


def _pod_security_row(case: _Case, injected: Injected) -> Row:
    """Check what the API server checks after the webhook, of the pod with its sidecar."""
    name, question = "pod security", "Does the namespace admit such a pod?"
    level = (case.namespace.metadata.labels or {}).get(POD_SECURITY)
    isolation = case.cluster.config.profiles[injected.audit.profile].isolation
    needs_host = injected.audit.mode == Mode.NODE.value
    is_ordinary = isolation is Isolation.RUNTIME_CLASS and not needs_host
    if level not in STRICT_LEVELS or (level == "baseline" and is_ordinary):
        return Row(name, question, Answer.OK)
    sidecar = _SIDECARS[isolation]
    notes = reason_notes(
        f"The namespace is labelled {POD_SECURITY}: {level}, which denies a "
        f"{'hostPath volume' if needs_host else sidecar}.",
        f"Ask its owner to label it {POD_SECURITY}: privileged, or use another namespace.",
    )
    return Row(name, question, Answer.DENIED, notes)
