"""The configuration file, read again in every round."""

from pathlib import Path

from webhook.config import Config, ConfigError, parse_config, read_config_file
from webhook.logs import Logger
from webhook.stores.metrics import StoreMetrics


class ConfigurationFile:
    """The last valid content of the file. Raises ConfigError if there is none at the start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        content = read_config_file(path)
        self.config: Config = parse_config(content, str(path))
        self._last: bytes | str = content  # or why it could not be read

    def reload(self, metrics: StoreMetrics, log: Logger) -> None:
        """Read the file; one that is not valid is logged and counted once."""
        try:
            content = read_config_file(self._path)
        except ConfigError as error:
            if str(error) != self._last:
                self._last = str(error)
                self._report(error, metrics, log)
            return
        if content == self._last:
            return
        self._last = content
        try:
            self.config = parse_config(content, str(self._path))
        except ConfigError as error:
            self._report(error, metrics, log)
            return
        metrics.configuration_reloads["success"].inc()
        log.info("configuration reloaded")

    @staticmethod
    def _report(error: ConfigError, metrics: StoreMetrics, log: Logger) -> None:
        metrics.configuration_reloads["failure"].inc()
        log.error("configuration not reloaded, the last valid one stays", message=str(error))
