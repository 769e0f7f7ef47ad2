"""Answers under one operator's file; those about ordinary pods are remembered by their outline.

Working one out is half of what a review costs (docs/performance.md), and the pods of a pipeline are
alike. A kind is remembered when it comes for the second time: pods that are all different neither
pay for that, nor push others out.
"""

from typing import Final

import msgspec

from webhook.injection import Entry, decide
from webhook.injection.config import Config
from webhook.injection.outline import Outline, admission_of, outline
from webhook.serving import review, wire

MOST: Final = 256  # kinds of pods; one takes some 15 KB, and 70 KB at most
MOST_SEEN: Final = 4 * MOST
_LONGEST: Final = 8 * 1024  # bytes of an outline; its names and paths are a stranger's


class Answers:
    """Decides under an operator's file.

    Attributes:
        config: the file.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._known: dict[Outline, review.Answer] = {}
        self._seen: set[int] = set()  # hashes of kinds that came once; a wrong guess does no harm

    def of(self, request: wire.Request, entry: Entry) -> review.Answer:
        """Answer a request.

        Raises:
            review.BadRequest: status 400; something in the pod that was not looked into before is
                wrong.
        """
        admission = review.admission(request, entry)
        try:
            kind = outline(admission)
            known = None if kind is None else self._known.get(kind)
            if known is not None:
                return known
            if kind is not None and self._is_seen_again(kind):
                return self._learn(kind)
            return review.answer(entry, decide(admission, self.config))
        except (wire.DuplicateKeys, msgspec.ValidationError) as error:
            raise review.unreadable(error) from None

    def _is_seen_again(self, kind: Outline) -> bool:
        hashed = hash(kind)
        if hashed in self._seen:
            return True
        if len(self._seen) >= MOST_SEEN:
            self._seen.clear()
        self._seen.add(hashed)
        return False

    def _learn(self, kind: Outline) -> review.Answer:
        answer = review.answer(kind.entry, decide(admission_of(kind), self.config))
        if len(msgspec.json.encode(kind)) <= _LONGEST:
            if len(self._known) >= MOST:
                del self._known[next(iter(self._known))]  # the oldest
            self._known[kind] = answer
        return answer
