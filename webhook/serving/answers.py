"""Answers under one operator's file; those about ordinary pods are remembered by their outline.

Working one out is two thirds of what a review costs (docs/performance.md), and the pods of a
pipeline are alike.
"""

from typing import Final

import msgspec

from webhook.injection import Entry, decide
from webhook.injection.config import Config
from webhook.injection.outline import Outline, admission_of, outline
from webhook.serving import review, wire

MOST: Final = 256  # kinds of pods; each takes up to some 30 KB
_LONGEST: Final = 8 * 1024  # bytes of an outline; its names and paths are a stranger's


class Answers:
    """Decides under an operator's file.

    Attributes:
        config: the file.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._known: dict[Outline, review.Answer] = {}

    def of(self, request: wire.Request, entry: Entry) -> review.Answer:
        """Answer a request.

        Raises:
            review.BadRequest: status 400; something in the pod that was not looked into before is
                wrong.
        """
        admission = review.admission(request, entry)
        try:
            kind = outline(admission)
            if kind is None:
                return review.answer(entry, decide(admission, self.config))
        except (wire.DuplicateKeys, msgspec.ValidationError) as error:
            raise review.unreadable(error) from None
        known = self._known.get(kind)
        return self._learn(kind) if known is None else known

    def _learn(self, kind: Outline) -> review.Answer:
        answer = review.answer(kind.entry, decide(admission_of(kind), self.config))
        if len(msgspec.json.encode(kind)) <= _LONGEST:
            if len(self._known) >= MOST:
                del self._known[next(iter(self._known))]  # the oldest
            self._known[kind] = answer
        return answer
