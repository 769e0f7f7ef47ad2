"""Warnings about a valid configuration file."""

import datetime as dt
from collections.abc import Iterator

from webhook.config.certificates import expired
from webhook.config.configuration import Config
from webhook.config.wording import dotted


def expired_certificates(config: Config, now: dt.datetime) -> list[str]:
    """Name the CA certificates that are not valid any more, each in a line with its path.

    They are no error: a file that was valid when it was loaded must be valid after a restart.
    """
    lines = (
        f"{dotted(path)}: {sentence}"
        for path, pem in _certificates(config)
        for sentence in expired(pem, now)
    )
    return list(dict.fromkeys(lines))


def _certificates(config: Config) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, profile in config.profiles.items():
        for host, registry in profile.registries.items():
            if registry.ca:
                yield ("profiles", name, "registries", host, "ca"), registry.ca
        if profile.ca_certificates:
            yield ("profiles", name, "caCertificates"), profile.ca_certificates
