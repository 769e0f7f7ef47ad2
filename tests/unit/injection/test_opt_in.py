"""The table of opt-in: what the API server calls, and what is answered."""

import pytest

from webhook.injection import Endpoint, Problem, Reason, Skipped
from webhook.injection.optin import INJECT, MIRROR_POD, opt_in, route

INJECTED = None  # the result that lets a pod pass
NOT_CALLED = None  # the route of a pod that the API server does not send

TABLE = [
    # annotation, label, endpoint, result
    ("true", None, Endpoint.POD, INJECTED),
    ("true", "true", Endpoint.NAMESPACE, INJECTED),
    ("true", "false", Endpoint.FORBIDDEN, Reason.NAMESPACE_FORBIDS),
    ("true", "other", Endpoint.POD, INJECTED),
    ("false", None, NOT_CALLED, Reason.OPTED_OUT),
    ("false", "true", NOT_CALLED, Reason.OPTED_OUT),
    ("false", "false", NOT_CALLED, Reason.OPTED_OUT),
    (None, "true", Endpoint.NAMESPACE, INJECTED),
    (None, None, NOT_CALLED, Reason.NOT_OPTED_IN),
    (None, "false", NOT_CALLED, Reason.NOT_OPTED_IN),
    (None, "other", NOT_CALLED, Reason.NOT_OPTED_IN),
    *(
        (value, label, endpoint, Reason.BAD_VALUE)
        for value in ("yes", "True", "TRUE", "1", "", " true", "true\n")
        for label, endpoint in (
            (None, Endpoint.POD),
            ("true", Endpoint.NAMESPACE),
            ("false", Endpoint.FORBIDDEN),
        )
    ),
]
ROWS = pytest.mark.parametrize(
    ("annotation", "label", "endpoint", "reason"),
    TABLE,
    ids=[f"annotation={row[0]!r}-label={row[1]}" for row in TABLE],
)
# Which endpoint's selector a namespace meets, whatever the pod says.
BY_LABEL = {
    None: Endpoint.POD,
    "other": Endpoint.POD,
    "true": Endpoint.NAMESPACE,
    "false": Endpoint.FORBIDDEN,
}


def annotations(value: str | None) -> dict[str, str]:
    return {} if value is None else {INJECT: value}


@ROWS
def test_the_route_follows_the_table(
    annotation: str | None, label: str | None, endpoint: Endpoint | None, reason: Reason | None
) -> None:
    assert route(annotations(annotation), label) is endpoint
    assert (endpoint is None) == (reason in (Reason.OPTED_OUT, Reason.NOT_OPTED_IN))


@ROWS
def test_the_rule_follows_the_table_for_pods_that_the_api_server_should_have_filtered(
    annotation: str | None, label: str | None, endpoint: Endpoint | None, reason: Reason | None
) -> None:
    answer = opt_in(endpoint or BY_LABEL[label], annotation)
    assert (None if answer is None else answer.reason) is reason
    assert isinstance(answer, Skipped) == (reason in (Reason.OPTED_OUT, Reason.NOT_OPTED_IN))


@pytest.mark.parametrize("label", [None, "true", "false"])
def test_mirror_pods_have_no_route(label: str | None) -> None:
    assert route({MIRROR_POD: "hash", INJECT: "true"}, label) is None


def test_other_values_are_denied_with_the_accepted_ones() -> None:
    answer = opt_in(Endpoint.POD, "yes")
    assert isinstance(answer, Problem)
    assert answer.message == (
        'annotation dind.io/inject: invalid value "yes" (accepted: "true", "false")'
    )


def test_denials_by_a_namespace_name_its_label() -> None:
    answer = opt_in(Endpoint.FORBIDDEN, "true")
    assert isinstance(answer, Problem)
    assert answer.message == (
        "annotation dind.io/inject: the namespace forbids Docker "
        '(its label dind.io/inject is "false")'
    )
