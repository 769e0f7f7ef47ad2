"""Values that are read from mounted files, and replaced when the files change.

Polling works without notifications, and however the files are replaced (symbolic links, bind
mounts). An invalid file is logged and counted once and changes nothing: the last valid one stays
in use.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Generic, TypeVar

from prometheus_client import Counter

from webhook.config import Config, ConfigError, parse_config, read_config_file
from webhook.logs import Logger

Content = TypeVar("Content")
Value = TypeVar("Value")


class Followed(Generic[Content, Value]):
    """One value that is read from files, and replaced when they change.

    Args:
        name: its name in the log.
        read: returns the content of its files.
        parse: converts the content to the value.
        apply: replaces the value in use.
        errors: what `read` and `parse` raise for invalid files.
        content: the content in use.
        results: counters by `success` and `failure`.
    """

    def __init__(
        self,
        name: str,
        *,
        read: Callable[[], Content],
        parse: Callable[[Content], Value],
        apply: Callable[[Value], None],
        errors: tuple[type[Exception], ...] = (ConfigError,),
        content: Content,
        results: Mapping[str, Counter],
    ) -> None:
        self._name = name
        self._read = read
        self._parse = parse
        self._apply = apply
        self._errors = errors
        self._last: Content | str = content  # of the last poll, or why it failed
        self._results = results

    def poll(self, log: Logger) -> None:
        """Read the files, and apply the value if they have changed."""
        try:
            content = self._read()
        except self._errors as error:
            if str(error) != self._last:
                self._last = str(error)
                self._report_failure(error, log)
            return
        if content == self._last:
            return
        self._last = content
        try:
            value = self._parse(content)
        except self._errors as error:
            self._report_failure(error, log)
            return
        self._apply(value)
        self._results["success"].inc()
        event = f"{self._name} reloaded"
        log.info(event)

    def _report_failure(self, error: Exception, log: Logger) -> None:
        self._results["failure"].inc()
        event = f"{self._name} not reloaded, the last valid one stays"
        log.error(event, message=str(error))


class ConfigurationFile:
    """The last valid content of a configuration file.

    Args:
        path: of the file.
        results: counters of its changes by `success` and `failure`.

    Raises:
        ConfigError: the file is not valid at the start.
    """

    def __init__(self, path: Path, results: Mapping[str, Counter]) -> None:
        self.content = read_config_file(path)
        self.config = parse_config(self.content, str(path))

        def parse(content: bytes) -> tuple[bytes, Config]:
            return content, parse_config(content, str(path))

        self.followed = Followed(
            "configuration",
            read=lambda: read_config_file(path),
            parse=parse,
            apply=self._apply,
            content=self.content,
            results=results,
        )

    def _apply(self, parsed: tuple[bytes, Config]) -> None:
        self.content, self.config = parsed
