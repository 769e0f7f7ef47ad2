"""Whether an answer is what it should be: no measurement may count a wrong one."""

import base64
import json

from benchmarks.load import BadAnswer
from benchmarks.programs import ECHO
from benchmarks.reviews import LEFT_ALONE


def check(name: str, review: str, sent: bytes, answer: bytes) -> None:
    """Look into an answer: the body itself from the echo, a response to this review from others.

    Args:
        name: of the program that answered.
        review: what it was asked, a key of `reviews.ALL`.
        sent: its bytes.
        answer: the answer's body.

    Raises:
        BadAnswer: it is another one than it should be.
    """
    if name == ECHO:
        if answer != sent:
            raise BadAnswer("the echo sent something else than it got")
        return
    response = json.loads(answer)["response"]
    uid = json.loads(sent)["request"]["uid"]
    if response["uid"] != uid or not response["allowed"]:
        raise BadAnswer(f"{name} has another uid, or refuses the pod: {response}")
    if review in LEFT_ALONE:
        if "patch" in response:
            raise BadAnswer(f"{name} has a patch for a pod that is to be left alone")
        return
    patch = json.loads(base64.b64decode(response.get("patch", "W10=")))
    paths = [operation["path"] for operation in patch]
    if not any(path.startswith("/spec/initContainers") for path in paths):
        raise BadAnswer(f"{name} has no patch that adds a daemon, only {', '.join(paths)}")
