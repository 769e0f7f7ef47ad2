"""Follows the mounted files: read, compare the content, and take over what is valid.

Polling and comparing content needs no notification to arrive, and no knowledge of how a file
system replaces what it shows (symbolic links, bind mounts). A file that is not valid is logged and
counted once and changes nothing: the last valid one stays in force.
"""

import asyncio
import datetime as dt
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from prometheus_client import Counter

from webhook.config import (
    Config,
    ConfigError,
    expired_certificates,
    parse_config,
    read_config_file,
)
from webhook.logs import Logger
from webhook.serving.clients import ClientCAError, read_client_ca
from webhook.serving.service import Service
from webhook.serving.tls import (
    Certificate,
    CertificateError,
    KeyPair,
    read_key_pair,
    server_context,
)

ERRORS = (CertificateError, ClientCAError, ConfigError)
Content = TypeVar("Content")
Value = TypeVar("Value")


class Followed(Generic[Content, Value]):
    """One value that is read from files, and replaced when they change.

    Args:
        name: what it is, in the log.
        read: returns the content of its files; may block.
        parse: content to value; may block; raises one of `ERRORS` where it is not valid.
        apply: replaces the value in force.
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
        content: Content,
        results: Mapping[str, Counter],
    ) -> None:
        self._name = name
        self._read = read
        self._parse = parse
        self._apply = apply
        self._last: Content | str = content  # the last content, or why it could not be read
        self._results = results

    async def poll(self, log: Logger) -> None:
        """Read once, and apply what has changed."""
        try:
            content = await asyncio.to_thread(self._read)
        except ERRORS as error:
            if str(error) != self._last:
                self._last = str(error)
                self._report_failure(error, log)
            return
        if content == self._last:
            return
        self._last = content
        try:
            value = await asyncio.to_thread(self._parse, content)
        except ERRORS as error:
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


def follow_certificate(
    certificate: Certificate, service: Service
) -> Followed[KeyPair, tuple[KeyPair, ssl.SSLContext, dt.datetime]]:
    """Follow the directory of the serving certificate."""
    metrics = service.metrics
    metrics.certificate_expiry.set(certificate.expiry.timestamp())

    def parse(pair: KeyPair) -> tuple[KeyPair, ssl.SSLContext, dt.datetime]:
        return pair, *server_context(pair, dt.datetime.now(dt.UTC), certificate.client_ca)

    def apply(parsed: tuple[KeyPair, ssl.SSLContext, dt.datetime]) -> None:
        certificate.replace(*parsed)
        metrics.certificate_expiry.set(certificate.expiry.timestamp())

    return Followed(
        "certificate",
        read=lambda: read_key_pair(certificate.directory),
        parse=parse,
        apply=apply,
        content=certificate.pair,
        results=metrics.certificate_reloads,
    )


def follow_client_ca(
    path: Path, certificate: Certificate, service: Service
) -> Followed[str, tuple[str, ssl.SSLContext]]:
    """Follow the file of CA certificates that clients are verified with."""
    return Followed(
        "client CA",
        read=lambda: read_client_ca(path),
        parse=lambda client_ca: (client_ca, certificate.context_with_client_ca(client_ca)),
        apply=lambda parsed: certificate.replace_client_ca(*parsed),
        content=certificate.client_ca or "",
        results=service.metrics.certificate_reloads,
    )


def follow_configuration(path: Path, content: bytes, service: Service) -> Followed[bytes, Config]:
    """Follow the configuration file."""

    def apply(config: Config) -> None:
        service.config = config
        warn_of_expired_certificates(config, service.log)

    return Followed(
        "configuration",
        read=lambda: read_config_file(path),
        parse=lambda content: parse_config(content, str(path)),
        apply=apply,
        content=content,
        results=service.metrics.configuration_reloads,
    )


def warn_of_expired_certificates(config: Config, log: Logger) -> None:
    """Log the CA certificates of the configuration file that are not valid any more."""
    for problem in expired_certificates(config, dt.datetime.now(dt.UTC)):
        log.warning("expired CA certificate in the configuration", message=problem)


async def follow(followed: Sequence[Followed[Any, Any]], interval: float, log: Logger) -> None:
    """Poll for ever; `interval` is in seconds."""
    while True:
        await asyncio.sleep(interval)
        for value in followed:
            try:
                await value.poll(log)
            except Exception as error:
                log.error("internal error while reloading", exc_info=error)  # noqa: TRY400
