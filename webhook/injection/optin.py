"""The opt-in rule: which pods are meant, and by what.

| pod's annotation | namespace's label  | answer                       |
|------------------|--------------------|------------------------------|
| "true"           | absent or "true"   | inject                       |
| "true"           | "false"            | refuse, the namespace forbids|
| "false"          | any                | leave alone                  |
| absent           | "true"             | inject                       |
| absent           | absent or "false"  | never called                 |
| anything else    | any                | refuse                       |

The API server filters by the same rule (the chart's three webhook entries), so that the path of a
request is all that tells the service how a pod opted in.
"""

import enum
from collections.abc import Mapping

from webhook.injection.decisions import Problem, Skipped, quoted
from webhook.injection.reasons import Reason

INJECT = "dind.io/inject"  # annotation on a pod, label on a namespace
MIRROR_POD = "kubernetes.io/config.mirror"
#: Namespaces that the webhook configuration never matches, beside the release's own.
EXCLUDED_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")


class Endpoint(enum.StrEnum):
    """How the API server came to ask: by the pod, by its namespace, or where that forbids it."""

    POD = "pod"
    NAMESPACE = "namespace"
    FORBIDDEN = "forbidden"


def route(annotations: Mapping[str, str], namespace_label: str | None) -> Endpoint | None:
    """Choose the endpoint that the API server would call, None where it would call nobody.

    Args:
        annotations: the pod's.
        namespace_label: value of the namespace's label `dind.io/inject`, None where it has none.
    """
    annotation = annotations.get(INJECT)
    if MIRROR_POD in annotations or annotation == "false":
        return None
    if namespace_label == "true":
        return Endpoint.NAMESPACE
    if annotation is None:
        return None
    return Endpoint.FORBIDDEN if namespace_label == "false" else Endpoint.POD


def verdict(endpoint: Endpoint, annotation: str | None) -> Problem | Skipped | None:
    """Apply the table to one pod.

    Returns:
        None where the pod is to be injected, else what happens instead.
    """
    match annotation:
        case "false":
            return Skipped(Reason.OPTED_OUT)
        case None:
            return None if endpoint is Endpoint.NAMESPACE else Skipped(Reason.NOT_OPTED_IN)
        case "true":
            return _FORBIDDEN if endpoint is Endpoint.FORBIDDEN else None
        case _:
            return Problem(
                Reason.BAD_VALUE,
                f'annotation {INJECT} is {quoted(annotation)}; allowed are "true" and "false"',
            )


_FORBIDDEN = Problem(
    Reason.NAMESPACE_FORBIDS,
    f'annotation {INJECT} is "true", but the namespace is labelled {INJECT}: "false", '
    "which forbids Docker there",
)
