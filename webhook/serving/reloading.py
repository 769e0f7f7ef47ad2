"""Follows the mounted files: look, compare the content, and take over what is good.

Polling and comparing content needs no notification to arrive, and no knowledge of how a file
system swaps what it shows (symbolic links, bind mounts). A bad file is logged and counted once and
changes nothing; the last good one stays.
"""

import asyncio
import datetime as dt
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from prometheus_client import Counter

from webhook.config import Config, ConfigError, parse_config, read_config_file
from webhook.serving.callers import ClientAuthorityError, read_authorities
from webhook.serving.certificate import (
    Certificate,
    CertificateError,
    Pair,
    context_of,
    read_pair,
)
from webhook.serving.logs import Logger
from webhook.serving.service import Service

ERRORS = (CertificateError, ClientAuthorityError, ConfigError)
Content = TypeVar("Content")
Value = TypeVar("Value")


class Followed(Generic[Content, Value]):
    """One thing that is read from files, and taken over when they change.

    Args:
        name: what it is, in the log.
        read: its files' content; may block.
        make: content to value; may block; raises where the content is no good.
        take: takes a value over.
        first: the content in use.
        results: counters by `success` and `failure`.
    """

    def __init__(
        self,
        name: str,
        *,
        read: Callable[[], Content],
        make: Callable[[Content], Value],
        take: Callable[[Value], None],
        first: Content,
        results: Mapping[str, Counter],
    ) -> None:
        self._name = name
        self._read = read
        self._make = make
        self._take = take
        self._seen: Content | str = first  # the content last looked at, or why there was none
        self._results = results

    async def look(self, log: Logger) -> None:
        """Look once."""
        try:
            content = await asyncio.to_thread(self._read)
        except ERRORS as error:
            if str(error) != self._seen:
                self._seen = str(error)
                self._refuse(error, log)
            return
        if content == self._seen:
            return
        self._seen = content
        try:
            value = await asyncio.to_thread(self._make, content)
        except ERRORS as error:
            self._refuse(error, log)
            return
        self._take(value)
        self._results["success"].inc()
        log.info("reloaded", what=self._name)

    def _refuse(self, error: Exception, log: Logger) -> None:
        self._results["failure"].inc()
        log.error("not reloaded, the last good one stays", what=self._name, message=str(error))


def follow_certificate(
    certificate: Certificate, service: Service
) -> Followed[Pair, tuple[Pair, ssl.SSLContext, dt.datetime]]:
    """Follow the certificate's folder."""
    metrics = service.metrics
    metrics.certificate_expiry.set(certificate.expiry.timestamp())

    def make(pair: Pair) -> tuple[Pair, ssl.SSLContext, dt.datetime]:
        return pair, *context_of(pair, dt.datetime.now(dt.UTC), certificate.authorities)

    def take(made: tuple[Pair, ssl.SSLContext, dt.datetime]) -> None:
        certificate.swap(*made)
        metrics.certificate_expiry.set(certificate.expiry.timestamp())

    return Followed(
        "certificate",
        read=lambda: read_pair(certificate.directory),
        make=make,
        take=take,
        first=certificate.pair,
        results=metrics.certificate_reloads,
    )


def follow_authorities(
    path: Path, certificate: Certificate, service: Service
) -> Followed[str, tuple[str, ssl.SSLContext]]:
    """Follow the file of the clients' authorities."""
    return Followed(
        "client authorities",
        read=lambda: read_authorities(path),
        make=lambda authorities: (authorities, certificate.context_trusting(authorities)),
        take=lambda made: certificate.trust(*made),
        first=certificate.authorities or "",
        results=service.metrics.certificate_reloads,
    )


def follow_configuration(path: Path, first: bytes, service: Service) -> Followed[bytes, Config]:
    """Follow the configuration file."""

    def take(config: Config) -> None:
        service.config = config

    return Followed(
        "configuration",
        read=lambda: read_config_file(path),
        make=lambda content: parse_config(content, str(path)),
        take=take,
        first=first,
        results=service.metrics.configuration_reloads,
    )


async def follow(followed: Sequence[Followed[Any, Any]], interval: float, log: Logger) -> None:
    """Look at everything, again and again.

    Args:
        followed: what to look at.
        interval: seconds between looks.
        log: gets a line for every change.
    """
    while True:
        await asyncio.sleep(interval)
        for one in followed:
            try:
                await one.look(log)
            except Exception as error:
                log.error("failed", exc_info=error)  # noqa: TRY400 - not `logging`'s
