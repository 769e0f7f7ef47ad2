"""The service's log in memory, for tests that run parts of the service themselves."""

import io
import json
from typing import Any

from webhook.logs import Logger, configure_logging


class MemoryLog:
    """What a logger writes; `logger` is the service's own, as in a cluster."""

    def __init__(self) -> None:
        self._written = io.BytesIO()
        self._stream = io.TextIOWrapper(self._written)
        self.logger: Logger = configure_logging(self._stream)

    def text(self) -> str:
        """All that was written."""
        return self._written.getvalue().decode()

    def lines(self) -> list[dict[str, Any]]:
        """The same, line by line."""
        return [json.loads(line) for line in self._written.getvalue().splitlines()]
