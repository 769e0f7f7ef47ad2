"""Bodies and content types by their error, and the beginning of the answer to each."""

from collections.abc import Callable

from resilience.bodies import (
    DIGITS,
    LIMIT,
    MIB,
    compact,
    nested,
    object_with_keys,
    replaced,
    with_field,
)
from service.reviews import review

NOT_JSON = "the body is not JSON: "
REVIEW = "the body must be an AdmissionReview of admission.k8s.io/v1, not "
UNREADABLE = "the AdmissionReview cannot be read: "
UTF_8 = "the body is not UTF-8"
POD = "only Pod of v1 is reviewed, not "
CREATION = "only CREATE of pods is reviewed, not "
DEEP = "the body's JSON is nested too deep"
TYPE = "the content type must be application/json, not "

REASONS = {
    NOT_JSON: "not-json",
    UTF_8: "not-utf-8",
    DEEP: "nested-too-deep",
    POD: "not-a-pod",
    CREATION: "not-a-create-request",
}  # not-a-review otherwise

NOT_READABLE = {
    "a comment": (NOT_JSON, replaced(b"{", b"/* */{")),
    "a byte order mark": (NOT_JSON, b"\xef\xbb\xbf" + compact(review())),
    "two reviews": (NOT_JSON, compact(review()) * 2),
    "a line break in a string": (NOT_JSON, replaced(b'"ci"', b'"c\ni"')),
    "a zero byte in a string": (NOT_JSON, replaced(b'"ci"', b'"c\x00i"')),
    "a comma at the end": (NOT_JSON, compact(review())[:-1] + b",}"),
    "a leading zero": (NOT_JSON, with_field("request x", "01")),
    "a number that begins with a dot": (NOT_JSON, with_field("request x", ".5")),
    "Python's True": (NOT_JSON, with_field("request dryRun", "True")),
    "NaN where a number is read": (
        NOT_JSON,
        with_field("request object spec securityContext supplementalGroups", "[NaN]"),
    ),
    "half a surrogate pair in an annotation": (
        NOT_JSON,
        with_field("request object metadata annotations a", r'"\ud83d"'),
    ),
    "the halves of a surrogate pair the wrong way round": (
        NOT_JSON,
        with_field("request object metadata annotations a", r'"\ude00\ud83d"'),
    ),
    "an encoded surrogate": (UTF_8, replaced(b'"ci"', b'"\xed\xa0\xbd"')),
    "an overlong encoding": (
        UTF_8,
        replaced(b'"ci"', b'"\xc0\x80"'),
    ),
}
TOO_MUCH: dict[str, tuple[str, Callable[[], bytes]]] = {
    "objects 100,000 deep": (DEEP, lambda: nested('{"a":', "}", "0").encode()),
    "objects 100,000 deep, as a review": (DEEP, lambda: nested('{"request":', "}", "0").encode()),
    "100,000 brackets that never close": (UNREADABLE, lambda: nested("[", "").encode()),
    "100,000 deep in labels": (
        DEEP,
        lambda: with_field("request object metadata labels", nested('{"a":', "}", "0")),
    ),
    "100,000 deep in env": (
        DEEP,
        lambda: with_field(
            "request object spec containers 0 env", nested('[{"valueFrom":', "}]", "0")
        ),
    ),
    "as many keys as a body holds": (REVIEW, lambda: object_with_keys(790_000).encode()),
    "5 MiB of digits": (UNREADABLE, DIGITS.encode),
    "5 MiB of digits for a name": (UNREADABLE, lambda: with_field("request namespace", DIGITS)),
    "5 MiB of digits for a group": (
        UNREADABLE,
        lambda: with_field("request object spec securityContext supplementalGroups", f"[{DIGITS}]"),
    ),
    "5 MiB of digits for a boolean": (UNREADABLE, lambda: with_field("request dryRun", DIGITS)),
    "5 MiB of brackets": (UNREADABLE, lambda: b"[" * 5 * MIB),
    "5 MiB of quotes": (UNREADABLE, lambda: b'"' * 5 * MIB),
    "5 MiB of backslashes": (NOT_JSON, lambda: b'{"' + b"\\" * 5 * MIB),
    "7 MiB of spaces": (NOT_JSON, lambda: b" " * LIMIT),
}
OBJECT = "request object"
KINDS = {
    "null for a request": (UNREADABLE, with_field("request", "null")),
    "a list for a request": (UNREADABLE, with_field("request", "[]")),
    "a response": (UNREADABLE, replaced(b'"request":', b'"response":')),
    "a kind in lower case": (REVIEW, replaced(b'"AdmissionReview"', b'"admissionreview"')),
    "a review of v2": (REVIEW, replaced(b"admission.k8s.io/v1", b"admission.k8s.io/v2")),
    "a list for an object": (UNREADABLE, with_field("request object", "[]")),
    "a pod of v2": (POD, with_field("request kind version", '"v2"')),
    "a list of pods": (POD, with_field("request kind kind", '"PodList"')),
    "no operation": (UNREADABLE, replaced(b'"operation"', b'"other"')),
    "an operation in lower case": (CREATION, with_field("request operation", '"create"')),
    "a deletion": (CREATION, with_field("request operation", '"DELETE"')),
    "a connection": (CREATION, with_field("request operation", '"CONNECT"')),
    "an eviction": (CREATION, with_field("request subResource", '"eviction"')),
}
CONTENT_TYPES = {
    "text": "text/plain",
    "YAML": "application/yaml",
    "protobuf": "application/vnd.kubernetes.protobuf",
    "a JSON patch": "application/json-patch+json",
    "JSON and something else": "application/json, text/html",
    "JSON as a parameter": "text/plain; application/json",
    "anything": "*/*",
    "nothing": "",
    "10,000 letters": "x" * 10_000,
}
HUGE: dict[str, Callable[[], bytes]] = {
    "as many labels as a body holds": lambda: with_field(
        f"{OBJECT} metadata labels", object_with_keys(780_000)
    ),
    "as many unknown keys as a body holds": lambda: with_field(
        "request x", object_with_keys(780_000)
    ),
    "5 MiB of digits in a field that is not read": lambda: with_field("request x", DIGITS),
    "a value of 6 MiB": lambda: with_field(
        f"{OBJECT} metadata annotations a", f'"{"x" * 6 * MIB}"'
    ),
    "500 deep in a field that is not read": lambda: with_field(
        "request x", nested("[", "]", depth=500)
    ),
}
