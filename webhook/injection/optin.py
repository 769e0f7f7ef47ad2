"""The opt-in rule: which pods are injected.

| pod's annotation | namespace's label  | result                       |
|------------------|--------------------|------------------------------|
| "true"           | absent or "true"   | inject                       |
| "true"           | "false"            | deny: the namespace forbids  |
| "false"          | any                | skip                         |
| absent           | "true"             | inject                       |
| absent           | absent or "false"  | the webhook is not called    |
| anything else    | any                | deny                         |

The API server filters by the same rule (the three `webhooks[]` of the chart). The path of a request
therefore tells how the pod opted in.
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
    """The path of a request: opted in by the pod, by its namespace, or in spite of it."""

    POD = "pod"
    NAMESPACE = "namespace"
    FORBIDDEN = "forbidden"


def route(annotations: Mapping[str, str], namespace_label: str | None) -> Endpoint | None:
    """Return the endpoint that the API server would call, None if it would not call the webhook.

    Args:
        annotations: the pod's.
        namespace_label: value of the namespace's label `dind.io/inject`, None if it has none.
    """
    annotation = annotations.get(INJECT)
    if MIRROR_POD in annotations or annotation == "false":
        return None
    if namespace_label == "true":
        return Endpoint.NAMESPACE
    if annotation is None:
        return None
    return Endpoint.FORBIDDEN if namespace_label == "false" else Endpoint.POD


def opt_in(endpoint: Endpoint, annotation: str | None) -> Problem | Skipped | None:
    """Apply the table to one pod.

    Args:
        endpoint: where the API server sent the request.
        annotation: the pod's `dind.io/inject`, None if it has none.

    Returns:
        None if the pod is to be injected, else what happens instead.
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
                f"annotation {INJECT}: invalid value {quoted(annotation)} "
                '(accepted: "true", "false")',
                'Write "true" or "false", or remove the annotation: then the namespace\'s label '
                "decides.",
            )


_FORBIDDEN = Problem(
    Reason.NAMESPACE_FORBIDS,
    f'annotation {INJECT}: the namespace forbids Docker (its label {INJECT} is "false")',
)
