"""Follows the mounted files: the certificate, the client CA and the configuration."""

import asyncio
import datetime as dt
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from webhook.config import (
    Config,
    expired_certificates,
    parse_config,
    read_config_file,
)
from webhook.following import Followed
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

_TLS_ERRORS = (CertificateError, ClientCAError)


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
        errors=_TLS_ERRORS,
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
        errors=_TLS_ERRORS,
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
                await asyncio.to_thread(value.poll, log)
            except Exception as error:
                log.error("internal error while reloading", exc_info=error)  # noqa: TRY400
