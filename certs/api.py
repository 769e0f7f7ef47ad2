"""Requests to the API server through the `kubernetes` package, and their errors as ours."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import urllib3
from kubernetes import config
from kubernetes.client import ApiClient, ApiException, Configuration

from certs.objects import Object

_TIMEOUT = (5, 15)  # seconds to connect, and to read
_WATCH_SECONDS = 300
_WATCH_TIMEOUT = (5, _WATCH_SECONDS + 30)


class ClusterError(Exception):
    """The cluster did not do what was asked; the message is one line."""


class ConflictError(ClusterError):
    """Somebody else wrote first: what was planned may be wrong by now."""


def connect(kubeconfig: str | None) -> ApiClient:
    """Make a client: of the given kubeconfig, else of the pod, else of the user's kubeconfig.

    Raises:
        ClusterError: There is no usable configuration.
    """
    settings = Configuration()
    try:
        if kubeconfig is None and os.environ.get("KUBERNETES_SERVICE_HOST"):
            config.load_incluster_config(settings)  # type: ignore[no-untyped-call]
        else:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=kubeconfig, client_configuration=settings
            )
    except (config.ConfigException, OSError, ValueError) as error:
        raise ClusterError(f"There is no access to a cluster: {error}") from error
    settings.retries = False  # whoever calls tries again, and says so
    return ApiClient(settings)


def watch(listing: Callable[..., Any], name: str) -> Iterator[None]:
    """Watch one object: yields when it may have changed; ends after some minutes.

    Args:
        listing: Lists objects of its kind.
        name: The object's.

    Raises:
        ClusterError: The watch cannot be opened, or breaks.
    """
    with _plainly():
        response = listing(
            field_selector=f"metadata.name={name}",
            watch=True,
            timeout_seconds=_WATCH_SECONDS,
            _preload_content=False,
            _request_timeout=_WATCH_TIMEOUT,
        )
        with contextlib.closing(response):
            for _ in response.stream():
                yield


def get(request: Callable[..., Any]) -> tuple[Object | None, datetime]:
    """Read one object: None where it does not exist; and the API server's time.

    Raises:
        ClusterError: The API server did not answer as it should.
    """
    try:
        return call(request)
    except _MissingError as missing:
        return None, missing.now


def call(request: Callable[..., Any]) -> tuple[Object, datetime]:
    """Send one request; return the object in the answer, and the API server's time.

    Raises:
        ConflictError: The object has changed, is there already, or is gone.
        ClusterError: The API server did not answer as it should.
    """
    with _plainly():
        response = request(_preload_content=False, _request_timeout=_TIMEOUT)
        return response.json(), _time(response.headers)


class _MissingError(ConflictError):
    """The object does not exist; a write of it finds that somebody else was faster."""

    def __init__(self, message: str, now: datetime) -> None:
        super().__init__(message)
        self.now = now


@contextlib.contextmanager
def _plainly() -> Iterator[None]:
    """Turn the errors of the client into ours."""
    try:
        yield
    except ApiException as error:
        message = f"{error.status} {_line(error.reason)}: {_message(error)}"
        if error.status == HTTPStatus.NOT_FOUND:
            raise _MissingError(message, _time(error.headers or {})) from error
        if error.status == HTTPStatus.CONFLICT:
            raise ConflictError(message) from error
        raise ClusterError(message) from error
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise ClusterError(f"{type(error).__name__}: {_line(error)}") from error


def _message(error: ApiException) -> str:
    body = error.body or ""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(json.loads(body)["message"])
    return _line(body)


def _line(text: object) -> str:
    return " ".join(str(text).split())


def _time(headers: Mapping[str, str]) -> datetime:
    """Read the API server's clock, which every HTTP answer tells in whole seconds."""
    try:
        return parsedate_to_datetime(headers.get("Date", "")).astimezone(UTC)
    except ValueError as error:
        raise ClusterError("the API server's answer does not tell the time (Date)") from error
