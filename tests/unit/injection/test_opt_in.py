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
def test_the_api_server_calls_the_entry_of_the_table(
    annotation: str | None, label: str | None, endpoint: Endpoint | None, reason: Reason | None
) -> None:
    assert route(annotations(annotation), label) is endpoint
    assert (endpoint is None) == (reason in (Reason.OPTED_OUT, Reason.NOT_OPTED_IN))


@ROWS
def test_the_verdict_is_the_table_s_even_where_the_filter_let_too_much_through(
    annotation: str | None, label: str | None, endpoint: Endpoint | None, reason: Reason | None
) -> None:
    answer = opt_in(endpoint or BY_LABEL[label], annotation)
    assert (None if answer is None else answer.reason) is reason
    assert isinstance(answer, Skipped) == (reason in (Reason.OPTED_OUT, Reason.NOT_OPTED_IN))


@pytest.mark.parametrize("label", [None, "true", "false"])
def test_a_mirror_pod_is_never_sent(label: str | None) -> None:
    assert route({MIRROR_POD: "hash", INJECT: "true"}, label) is None


def test_a_value_that_is_neither_is_refused_with_both_that_are() -> None:
    answer = opt_in(Endpoint.POD, "yes")
    assert isinstance(answer, Problem)
    assert answer.message == 'annotation dind.io/inject is "yes"; allowed are "true" and "false"'


def test_a_forbidden_namespace_is_named_as_the_cause() -> None:
    answer = opt_in(Endpoint.FORBIDDEN, "true")
    assert isinstance(answer, Problem)
    assert answer.message == (
        'annotation dind.io/inject is "true", but the namespace is labelled '
        'dind.io/inject: "false", which forbids Docker there'
    )
