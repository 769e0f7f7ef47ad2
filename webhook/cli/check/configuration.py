"""Checks a MutatingWebhookConfiguration: its webhooks, its failurePolicy and its caBundle."""

import base64
from collections.abc import Iterator
from datetime import datetime

from kubernetes.client import AdmissionregistrationV1ServiceReference as ServiceReference
from kubernetes.client import V1LabelSelectorRequirement, V1MutatingWebhook
from kubernetes.client import V1MutatingWebhookConfiguration as WebhookConfiguration

from certs.certificates import certificates_in, fingerprint
from webhook.cli.check.expected import WEBHOOKS
from webhook.cli.check.report import Finding, Status, check_validity
from webhook.injection.decisions import listed
from webhook.injection.optin import EXCLUDED_NAMESPACES, INJECT

_NAMESPACE_NAME = "kubernetes.io/metadata.name"
_PRODUCT = ("app.kubernetes.io/name", "dind-webhook")
_EXPECTED = {f"{webhook['endpoint']}.dind.io": webhook for webhook in WEBHOOKS}
_RULE = (["v1"], [""], ["pods"], ["CREATE"], "Namespaced")
_CERT_MANAGER = "cert-manager.io/inject-ca-from"
_RESTORE = (
    "Restore the chart's webhooks: helm upgrade, or the next sync of your GitOps tool. Make "
    "intended changes in the chart's values."
)


def is_ours(configuration: WebhookConfiguration) -> bool:
    """Tell whether a configuration is dind-webhook's, by its label or by its webhooks."""
    key, value = _PRODUCT
    labelled = (configuration.metadata.labels or {}).get(key) == value
    return labelled or any(webhook.name in _EXPECTED for webhook in configuration.webhooks or ())


def excluded_namespaces(configuration: WebhookConfiguration) -> set[str]:
    """Return the namespaces that all webhooks exclude."""
    excluded = [_excluded(webhook) for webhook in _our_webhooks(configuration)]
    return set.intersection(*excluded) if excluded else set()


def check_webhooks(configuration: WebhookConfiguration) -> Iterator[Finding]:
    """Check that the webhooks are the chart's."""
    faults = list(webhook_faults(configuration))
    changes = list(_changes(configuration))
    if faults:
        yield Finding("webhooks", Status.BROKEN, "; ".join(faults), _RESTORE)
    if changes:
        message = f"differ from the chart's: {'; '.join(changes)}"
        yield Finding("webhooks", Status.WARNING, message, _RESTORE)
    if not faults and not changes:
        message = f"{listed(list(_EXPECTED))}: as the chart makes them"
        if restricted := sorted(set(restrictions(configuration))):
            message += f"; restricted by {listed(restricted)}"
        yield Finding("webhooks", Status.OK, message)


def webhook_faults(configuration: WebhookConfiguration) -> Iterator[str]:
    """Name what keeps the API server from sending pods as it should."""
    found = {webhook.name for webhook in configuration.webhooks or ()}
    missing = [name for name in _EXPECTED if name not in found]
    if missing:
        yield f"{', '.join(missing)} missing"
    for webhook in _our_webhooks(configuration):
        expected = _EXPECTED[webhook.name]
        path = f"/inject/{expected['endpoint']}"
        service = webhook.client_config.service
        if service is None:
            yield f"{webhook.name} calls {webhook.client_config.url} instead of a Service"
        elif service.path != path:
            yield f"{webhook.name} calls path {service.path or 'none'} instead of {path}"
        rules = [
            (r.api_versions, r.api_groups, r.resources, r.operations, r.scope)
            for r in webhook.rules or ()
        ]
        if rules != [_RULE]:
            yield f"{webhook.name}: its rules are not CREATE of pods"
        label = tuple(expected["label"].values())
        if label not in [(r.key, r.operator, r.values) for r in _requirements(webhook)]:
            yield f"{webhook.name} does not select namespaces by the label {INJECT}"


def restrictions(configuration: WebhookConfiguration) -> Iterator[str]:
    """Name what the chart's values can add to webhooks, so that fewer pods are sent."""
    for webhook in _our_webhooks(configuration):
        selector = webhook.namespace_selector
        keys = {requirement.key for requirement in _requirements(webhook)}
        if keys - {INJECT, _NAMESPACE_NAME} or (selector and selector.match_labels):
            yield "a further namespaceSelector"
        objects = webhook.object_selector
        if objects is not None and (objects.match_labels or objects.match_expressions):
            yield "an objectSelector"
        if len(_conditions(webhook)) > len(_EXPECTED[webhook.name]["matchConditions"]):
            yield "further matchConditions"


def _changes(configuration: WebhookConfiguration) -> Iterator[str]:
    """Name what differs from the chart and may be intended."""
    for webhook in configuration.webhooks or ():
        if webhook.name not in _EXPECTED:
            yield f"{webhook.name} is not a webhook of dind-webhook"
    for webhook in _our_webhooks(configuration):
        for change in _changes_of(webhook):
            yield f"{webhook.name}: {change}"


def _changes_of(webhook: V1MutatingWebhook) -> Iterator[str]:
    service = webhook.client_config.service
    always = {*EXCLUDED_NAMESPACES, *([service.namespace] if service else [])}
    if forgotten := sorted(always - _excluded(webhook)):
        yield f"its namespaceSelector does not exclude {', '.join(forgotten)}"
    expected = _EXPECTED[webhook.name]["matchConditions"]
    if _conditions(webhook)[: len(expected)] != expected:
        yield "different matchConditions"
    if (webhook.match_policy, webhook.reinvocation_policy) != ("Equivalent", "IfNeeded"):
        yield "a different matchPolicy or reinvocationPolicy"


def _our_webhooks(configuration: WebhookConfiguration) -> list[V1MutatingWebhook]:
    return [webhook for webhook in configuration.webhooks or () if webhook.name in _EXPECTED]


def _conditions(webhook: V1MutatingWebhook) -> list[dict[str, str]]:
    return [
        {"name": condition.name, "expression": " ".join(condition.expression.split())}
        for condition in webhook.match_conditions or ()
    ]


def _requirements(webhook: V1MutatingWebhook) -> list[V1LabelSelectorRequirement]:
    selector = webhook.namespace_selector
    return (selector.match_expressions or []) if selector is not None else []


def _excluded(webhook: V1MutatingWebhook) -> set[str]:
    return {
        name
        for requirement in _requirements(webhook)
        if (requirement.key, requirement.operator) == (_NAMESPACE_NAME, "NotIn")
        for name in requirement.values or ()
    }


def check_failure_policy(configuration: WebhookConfiguration) -> Finding:
    """Check what happens to opted-in pods while the webhook is unavailable."""
    ignoring = [w.name for w in configuration.webhooks or () if w.failure_policy == "Ignore"]
    if not ignoring:
        return Finding("failurePolicy", Status.OK, "Fail: no opted-in pod starts without Docker")
    return Finding(
        "failurePolicy",
        Status.WARNING,
        f"Ignore in {listed(ignoring)}: while the webhook is unavailable, opted-in pods start "
        "without Docker",
        "Set webhook.failurePolicy to Fail. Only opted-in pods then wait for the webhook.",
    )


def ca_bundles(configuration: WebhookConfiguration) -> dict[bytes, list[str]]:
    """Return each caBundle (PEM) with the names of the webhooks that have it."""
    found: dict[bytes, list[str]] = {}
    for webhook in configuration.webhooks or ():
        pem = base64.b64decode(webhook.client_config.ca_bundle or "").strip()
        found.setdefault(pem, []).append(webhook.name)
    return found


def check_ca_bundle(
    configuration: WebhookConfiguration, service: ServiceReference, now: datetime
) -> Finding:
    """Check which CAs the API server trusts."""
    name, fix = "caBundle", certificate_fix(configuration, service)
    found = ca_bundles(configuration)
    for content, names in found.items():
        if not content:
            message = f"missing in {listed(names)}: the API server does not trust the webhook"
            return Finding(name, Status.BROKEN, message, fix)
        if not certificates_in(content):
            message = f"no readable certificate in {listed(names)}"
            return Finding(name, Status.BROKEN, message, fix)
    if len(found) != 1:
        message = f"differs between the webhooks: {' and '.join(map(listed, found.values()))}"
        return Finding(name, Status.BROKEN, message, fix)
    cas = certificates_in(next(iter(found)))
    judged = [check_validity(certificate, now) for certificate in cas]
    # During a rotation the old CA is beside the new one: the best of them counts.
    status = min((status for status, _ in judged), key=list(Status).index)
    message = "; ".join(
        f"CA {fingerprint(certificate)} {dates}"
        for certificate, (_, dates) in zip(cas, judged, strict=True)
    )
    return Finding(name, status, message, fix if status is not Status.OK else "")


def certificate_fix(configuration: WebhookConfiguration, service: ServiceReference) -> str:
    """Say who repairs the caBundle and the certificate, and where the reason of a failure is."""
    namespace, name = service.namespace, configuration.metadata.name
    if _CERT_MANAGER in (configuration.metadata.annotations or {}):
        return (
            f"cert-manager repairs it: kubectl -n {namespace} describe certificate,"
            "certificaterequest. Its cainjector writes the caBundle."
        )
    return (
        f"In mode self, {name}-certs repairs it within seconds; otherwise its log has the reason: "
        f"kubectl -n {namespace} logs deployment/{name}-certs. In mode provided, make "
        "certificates.provided.caBundle match the Secret."
    )
