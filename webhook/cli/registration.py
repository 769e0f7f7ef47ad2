"""The MutatingWebhookConfiguration as the chart makes it, and where a live one differs."""

from collections.abc import Iterable, Iterator

from webhook.cli.objects import Configuration, Requirement, Rule, Selector, Webhook
from webhook.injection.optin import EXCLUDED_NAMESPACES, INJECT, MIRROR_POD, Endpoint

NAMES = {f"{endpoint.value}.dind.io": endpoint for endpoint in Endpoint}
NAMESPACE_NAME = "kubernetes.io/metadata.name"
_PRODUCT = ("app.kubernetes.io/name", "dind-webhook")

_RULE = Rule(
    api_groups=[""],
    api_versions=["v1"],
    resources=["pods"],
    operations=["CREATE"],
    scope="Namespaced",
)
_LABELS = {
    Endpoint.POD: Requirement(INJECT, "NotIn", ["true", "false"]),
    Endpoint.NAMESPACE: Requirement(INJECT, "In", ["true"]),
    Endpoint.FORBIDDEN: Requirement(INJECT, "In", ["false"]),
}
_SAYS = f"object.metadata.annotations['{INJECT}'] != 'false'"
_HAS = "has(object.metadata.annotations)"
_IN = f"'{INJECT}' in object.metadata.annotations"
_BY_POD = f"{_HAS} && {_IN} && {_SAYS}"
_OPTED_IN = {
    Endpoint.POD: _BY_POD,
    Endpoint.NAMESPACE: f"!{_HAS} || !({_IN}) || {_SAYS}",
    Endpoint.FORBIDDEN: _BY_POD,
}
_NOT_A_MIRROR = f"!{_HAS} || !('{MIRROR_POD}' in object.metadata.annotations)"


def is_ours(configuration: Configuration) -> bool:
    """Tell whether a configuration is dind-webhook's, by its label or by its entries."""
    key, value = _PRODUCT
    labelled = configuration.metadata.labels.get(key) == value
    return labelled or any(webhook.name in NAMES for webhook in configuration.webhooks)


def faults(configuration: Configuration) -> Iterator[str]:
    """Name what keeps pods from being sent as they should be."""
    found = {webhook.name for webhook in configuration.webhooks}
    missing = [name for name in NAMES if name not in found]
    if missing:
        yield f"{_listed(missing)} missing"
    for webhook, endpoint in _entries(configuration):
        path = f"/inject/{endpoint.value}"
        service = webhook.client_config.service
        if service is None:
            yield f"{webhook.name} calls {webhook.client_config.url}, not a Service"
        elif service.path != path:
            yield f"{webhook.name} calls path {service.path or 'none'} instead of {path}"
        if webhook.rules != [_RULE]:
            yield f"{webhook.name} has other rules than CREATE of pods"
        if _LABELS[endpoint] not in webhook.namespace_selector.match_expressions:
            yield f"{webhook.name} does not select namespaces by the label {INJECT} as it should"


def edits(configuration: Configuration) -> Iterator[str]:
    """Name what is not as the chart makes it, and may be meant."""
    for webhook in configuration.webhooks:
        if webhook.name not in NAMES:
            yield f"endpoint {webhook.name} is not one of dind-webhook's"
    for webhook, endpoint in _entries(configuration):
        for what in _edited(webhook, endpoint):
            yield f"{webhook.name}: {what}"


def excluded_namespaces(configuration: Configuration) -> set[str]:
    """Tell from which namespaces no endpoint is sent a pod."""
    excluded = [
        {
            name
            for requirement in webhook.namespace_selector.match_expressions
            if requirement.key == NAMESPACE_NAME and requirement.operator == "NotIn"
            for name in requirement.values
        }
        for webhook, _ in _entries(configuration)
    ]
    return set.intersection(*excluded) if excluded else set()


def _entries(configuration: Configuration) -> Iterator[tuple[Webhook, Endpoint]]:
    for webhook in configuration.webhooks:
        if webhook.name in NAMES:
            yield webhook, NAMES[webhook.name]


def _edited(webhook: Webhook, endpoint: Endpoint) -> Iterator[str]:
    selector = webhook.namespace_selector
    others = [
        requirement
        for requirement in selector.match_expressions
        if requirement.key not in (INJECT, NAMESPACE_NAME)
    ]
    if others or selector.match_labels:
        yield "its namespaceSelector asks for more"
    excluded = {n for r in selector.match_expressions if r.key == NAMESPACE_NAME for n in r.values}
    service = webhook.client_config.service
    always = [*EXCLUDED_NAMESPACES, *([service.namespace] if service else [])]
    if forgotten := [name for name in always if name not in excluded]:
        yield f"its namespaceSelector does not exclude {_listed(forgotten)}"
    if webhook.object_selector != Selector():
        yield "it has an objectSelector"
    conditions = [" ".join(condition.expression.split()) for condition in webhook.match_conditions]
    if conditions != [_NOT_A_MIRROR, _OPTED_IN[endpoint]]:
        yield "its matchConditions are others"
    if webhook.match_policy != "Equivalent" or webhook.reinvocation_policy != "IfNeeded":
        yield "its matchPolicy or reinvocationPolicy is another"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
