"""Values that are read from mounted files, and replaced when the files change.

Polling and comparing content needs no notification to arrive, and no knowledge of how a file
system replaces what it shows (symbolic links, bind mounts). A file that is not valid is logged and
counted once and changes nothing: the last valid one stays in force.
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
        name: what it is, in the log.
        read: returns the content of its files.
        parse: content to value.
        apply: replaces the value in force.
        errors: what `read` and `parse` raise for files that are not valid.
        content: the content in force.
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
        self._last: Content | str = content  # the last content, or why it could not be read
        self._results = results

    def poll(self, log: Logger) -> None:
        """Read once, and apply what has changed."""
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
