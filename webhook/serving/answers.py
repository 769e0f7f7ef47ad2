"""Answers under one operator's file; those about ordinary pods are remembered by their outline.

Working one out is half of what a review costs (docs/performance.md), and the pods of a pipeline are
alike. A kind is remembered when it comes for the second time: pods that are all different neither
pay for that, nor push others out.
"""

from typing import Final

import msgspec

from webhook.config import Config
from webhook.injection import Denied, Endpoint, decide
from webhook.injection.outline import Outline, admission_of, outline
from webhook.serving import review, wire

MOST: Final = 256  # kinds of pods; one takes some 15 KB, and 120 KB at most
MOST_SEEN: Final = 4 * MOST
# Bytes; the names and paths in both are a stranger's.
_LONGEST_OUTLINE: Final = 16 * 1024
_LONGEST_ANSWER: Final = 32 * 1024
_WRONG: Final = (wire.DuplicateKeys, msgspec.ValidationError)


class Answers:
    """Decides under an operator's file.

    Attributes:
        config: the file.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._namespaced = bool(config.policy.profiles)
        self._known: dict[Outline, review.Answer] = {}
        self._seen: set[int] = set()  # hashes of kinds that came once; a wrong guess does no harm

    def of(self, request: wire.Request, endpoint: Endpoint) -> review.Answer:
        """Answer a request.

        Raises:
            review.BadRequest: status 400; something in the pod that was not looked into before is
                wrong.
        """
        admission = review.admission(request, endpoint)
        try:
            kind = outline(admission, namespaced=self._namespaced)
        except _WRONG:  # told below, unless the decision does not depend on it
            kind = None
        if kind is not None:
            known = self._known.get(kind)
            if known is not None:
                return known
            if self._comes_again(kind):
                return self._learn(kind)
        try:
            return review.answer(endpoint, decide(admission, self.config))
        except _WRONG as error:
            raise review.unreadable(error) from None

    def _comes_again(self, kind: Outline) -> bool:
        """Tell whether a kind was seen before, and is one to be remembered."""
        hashed = hash(kind)
        if hashed in self._seen:
            return len(msgspec.json.encode(kind)) <= _LONGEST_OUTLINE
        if len(self._seen) >= MOST_SEEN:
            self._seen.clear()
        self._seen.add(hashed)
        return False

    def _learn(self, kind: Outline) -> review.Answer:
        answer = review.answer(kind.endpoint, decide(admission_of(kind), self.config))
        # A refusal may be long, and no pipeline lives on refusals.
        if not isinstance(answer.decision, Denied) and len(answer.after) <= _LONGEST_ANSWER:
            if len(self._known) >= MOST:
                del self._known[next(iter(self._known))]  # the oldest
            self._known[kind] = answer
        return answer
