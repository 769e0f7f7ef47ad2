"""Bodies and content types, by what is wrong with them, and how the answer to each begins."""

from collections.abc import Callable

from resilience.bodies import DIGITS, LIMIT, MIB, compact, crowded, nested, put, replaced, twice
from service.reviews import review

NOT_JSON = "the body is not JSON: "
REVIEW = "the body must be an AdmissionReview of admission.k8s.io/v1, not "
UNREADABLE = "the AdmissionReview cannot be read: "
UTF_8 = "the body is not UTF-8"
POD = "only Pod of v1 is reviewed, not "
CREATION = "only CREATE of pods is reviewed, not "
DEEP = "the body's JSON is nested too deep"
TWICE = "an object in the body has the same key twice"
TYPE = "the content type must be application/json, not "

WHY = {
    NOT_JSON: "not-json",
    UTF_8: "not-utf-8",
    DEEP: "nested-too-deep",
    TWICE: "duplicate-keys",
    POD: "not-a-pod",
    CREATION: "not-a-creation",
}  # the others are not-a-review

NOTHING_TO_READ = {
    "a comment": (NOT_JSON, replaced(b"{", b"/* */{")),
    "a byte order mark": (NOT_JSON, b"\xef\xbb\xbf" + compact(review())),
    "two reviews": (NOT_JSON, compact(review()) * 2),
    "a line break in a string": (NOT_JSON, replaced(b'"ci"', b'"c\ni"')),
    "a zero byte in a string": (NOT_JSON, replaced(b'"ci"', b'"c\x00i"')),
    "a comma at the end": (NOT_JSON, compact(review())[:-1] + b",}"),
    "a leading zero": (NOT_JSON, put("request x", "01")),
    "a number that begins with a dot": (NOT_JSON, put("request x", ".5")),
    "Python's True": (NOT_JSON, put("request dryRun", "True")),
    "NaN where a number is read": (
        NOT_JSON,
        put("request object spec securityContext supplementalGroups", "[NaN]"),
    ),
    "half a surrogate pair in an annotation": (
        NOT_JSON,
        put("request object metadata annotations a", r'"\ud83d"'),
    ),
    "the halves of a surrogate pair the wrong way round": (
        NOT_JSON,
        put("request object metadata annotations a", r'"\ude00\ud83d"'),
    ),
    "a surrogate in UTF-8": (UTF_8, replaced(b'"ci"', b'"\xed\xa0\xbd"')),
    "a zero byte in UTF-8's long form": (
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
        lambda: put("request object metadata labels", nested('{"a":', "}", "0")),
    ),
    "100,000 deep in env": (
        DEEP,
        lambda: put("request object spec containers 0 env", nested('[{"valueFrom":', "}]", "0")),
    ),
    "as many keys as a body holds": (REVIEW, lambda: crowded(790_000).encode()),
    "a million times one key": (
        TWICE,
        lambda: put("request x", "{" + ",".join(['"":0'] * 10**6) + "}"),
    ),
    "5 MiB of digits": (UNREADABLE, DIGITS.encode),
    "5 MiB of digits for a name": (UNREADABLE, lambda: put("request namespace", DIGITS)),
    "5 MiB of digits for a group": (
        UNREADABLE,
        lambda: put("request object spec securityContext supplementalGroups", f"[{DIGITS}]"),
    ),
    "5 MiB of digits for a boolean": (UNREADABLE, lambda: put("request dryRun", DIGITS)),
    "5 MiB of brackets": (UNREADABLE, lambda: b"[" * 5 * MIB),
    "5 MiB of quotes": (UNREADABLE, lambda: b'"' * 5 * MIB),
    "5 MiB of backslashes": (NOT_JSON, lambda: b'{"' + b"\\" * 5 * MIB),
    "7 MiB of spaces": (NOT_JSON, lambda: b" " * LIMIT),
}
OBJECT = "request object"
SPEC = f"{OBJECT} spec"
DUPLICATES = {
    "a review's request": twice("request"),
    "the uid": twice("request uid", '"another"'),
    "the same uid": twice("request uid"),
    "the uid, spelt otherwise": twice("request uid", '"another"', r"u\u0069d"),
    "the operation": twice("request operation", '"DELETE"'),
    "the kind of the object": twice("request kind kind", '"Node"'),
    "the object": twice(OBJECT, "null"),
    "the metadata": twice(f"{OBJECT} metadata"),
    "the annotations": twice(f"{OBJECT} metadata annotations", '{"dind.io/inject":"false"}'),
    "the annotation that opts in": twice(f"{OBJECT} metadata annotations dind.io/inject"),
    "an owner's kind": twice(f"{OBJECT} metadata ownerReferences 0 kind", '"Pod"'),
    "the spec": twice(SPEC),
    "the containers": twice(f"{SPEC} containers", "[]"),
    "a container's name": twice(f"{SPEC} containers 0 name", '"dind"'),
    "a variable's value": twice(f"{SPEC} containers 0 env 0 value", '"x"'),
    "a mount's path": twice(f"{SPEC} containers 0 volumeMounts 0 mountPath", '"/var/run"'),
    "a limit": twice(f"{SPEC} containers 0 resources limits cpu", '"2"'),
    "a volume's source": twice(f"{SPEC} volumes 0 hostPath", "null"),
    "a node's label": twice(f"{SPEC} nodeSelector kubernetes.io/os", '"windows"'),
    "a field that nobody reads": put("request x", '{"a":1,"a":2}'),
}
KINDS = {
    "null for a request": (UNREADABLE, put("request", "null")),
    "a list for a request": (UNREADABLE, put("request", "[]")),
    "a response": (UNREADABLE, replaced(b'"request":', b'"response":')),
    "a review in small letters": (REVIEW, replaced(b'"AdmissionReview"', b'"admissionreview"')),
    "a review of v2": (REVIEW, replaced(b"admission.k8s.io/v1", b"admission.k8s.io/v2")),
    "a list for an object": (UNREADABLE, put("request object", "[]")),
    "a pod of v2": (POD, put("request kind version", '"v2"')),
    "a list of pods": (POD, put("request kind kind", '"PodList"')),
    "no operation": (UNREADABLE, replaced(b'"operation"', b'"formerly"')),
    "create in small letters": (CREATION, put("request operation", '"create"')),
    "a deletion": (CREATION, put("request operation", '"DELETE"')),
    "a connection": (CREATION, put("request operation", '"CONNECT"')),
    "an eviction": (CREATION, put("request subResource", '"eviction"')),
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
    "as many labels as a body holds": lambda: put(f"{OBJECT} metadata labels", crowded(780_000)),
    "as many annotations as a body holds": lambda: put(
        f"{OBJECT} metadata annotations", crowded(690_000, '""')
    ),
    "as many unknown keys as a body holds": lambda: put("request x", crowded(780_000)),
    "5 MiB of digits that nobody reads": lambda: put("request x", DIGITS),
    "a value of 6 MiB": lambda: put(f"{OBJECT} metadata annotations a", f'"{"x" * 6 * MIB}"'),
    "500 deep where nobody reads": lambda: put("request x", nested("[", "]", depth=500)),
}
