"""The Kubernetes client: its set-up, one request, one watch, and errors of one line.

Importing this module loads the `kubernetes` package, which takes half a second.
"""

import contextlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import config
from kubernetes.client import ApiClient, ApiException, Configuration
from yaml import YAMLError

_TIMEOUT = (5, 15)  # seconds to connect, and to read
_LONGEST_MESSAGE = 1000  # characters; a proxy answers with pages
_WATCH_SECONDS = 300
_WATCH_TIMEOUT = (5, _WATCH_SECONDS + 30)


class ClusterError(Exception):
    """A request to the API server failed; the message is one line."""


class RejectedError(ClusterError):
    """The API server answered with an error: HTTP status, reason phrase, and its time if sent."""

    def __init__(self, error: ApiException) -> None:
        self.status = int(error.status or 0)
        self.reason = _one_line(error.reason)
        self.date = _date(error.headers)
        super().__init__(f"{self.status} {self.reason}: {_message(error)}")


def uses_service_account(kubeconfig: Path | None, context: str | None) -> bool:
    """Tell whether `connect` uses the pod's service account instead of a kubeconfig."""
    named = kubeconfig or context or os.environ.get("KUBECONFIG")
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and not named


def connect(kubeconfig: Path | None = None, context: str | None = None) -> ApiClient:
    """Make a client, which is safe to use from several threads.

    A kubeconfig or a context that is named is used; so is the environment variable KUBECONFIG.
    Otherwise the service account is used in a pod, and the user's own kubeconfig elsewhere.

    Raises:
        ClusterError: There is no usable configuration.
    """
    settings = _Settings()
    logged = _LoggedErrors()
    root = logging.getLogger()
    root.addHandler(logged)
    try:
        if uses_service_account(kubeconfig, context):
            config.load_incluster_config(settings)  # type: ignore[no-untyped-call]
        else:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=str(kubeconfig) if kubeconfig else None,
                context=context,
                client_configuration=settings,
            )
    except (config.ConfigException, OSError, ValueError, YAMLError) as error:
        raise ClusterError(f"no access to a cluster: {_one_line(error)}") from error
    except (AttributeError, LookupError, TypeError) as error:  # a value of another type
        message = f"no access to a cluster: the kubeconfig is not valid: {_one_line(error)}"
        raise ClusterError(message) from error
    finally:
        root.removeHandler(logged)
    if logged.messages:
        reasons = _one_line("; ".join(logged.messages))
        raise ClusterError(f"no access to a cluster: no credentials: {reasons}")
    if not settings.verify_ssl:  # as the kubeconfig says
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    settings.retries = False  # the commands report a failure, and dind-certs tries again
    return ApiClient(settings)


class _Settings(Configuration):
    """Settings whose token may end in a line break, as for kubectl; no error repeats the token."""

    def get_api_key_with_prefix(self, identifier: str, alias: str | None = None) -> str | None:
        token: str | None = super().get_api_key_with_prefix(identifier, alias)
        if token is None:
            return None
        token = token.strip()
        if not (token.isascii() and token.isprintable()):
            raise ValueError("the token has characters that HTTP does not allow")
        return token


class _LoggedErrors(logging.Handler):
    """Collects what the package logs instead of raising it: that a credential plugin failed."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def send(method: Callable[..., Any], *arguments: Any, **more: Any) -> tuple[Any, datetime | None]:  # noqa: ANN401
    """Send one request by a method of the client's API classes.

    Returns:
        JSON data, and the API server's time in whole seconds if it sent that.

    Raises:
        RejectedError: The API server answered with an error.
        ClusterError: The API server did not answer, or not with JSON.
    """
    with _translated_errors():
        answer = method(*arguments, **more, _preload_content=False, _request_timeout=_TIMEOUT)
        return json.loads(answer.data), _date(answer.headers)


def fetch(request: Callable[..., Any]) -> Any:  # noqa: ANN401 - one of the client's models
    """Send one request, whose arguments are bound, and return the object as the client's model.

    Raises the errors of `send`.
    """
    with _translated_errors():
        return request(_request_timeout=_TIMEOUT)


def fetch_bytes(request: Callable[..., Any]) -> bytes:
    """Send one request, whose arguments are bound, and return the body of the response.

    Raises the errors of `send`.
    """
    with _translated_errors():
        answer = request(_preload_content=False, _request_timeout=_TIMEOUT)
        return bytes(answer.data)


def watch(list_request: Callable[..., Any], name: str) -> Iterator[None]:
    """Watch one object by a request that lists its kind; ends after five minutes.

    Yields whenever the object may have changed. Raises `ClusterError` when the watch breaks.
    """
    with _translated_errors():
        response = list_request(
            field_selector=f"metadata.name={name}",
            watch=True,
            timeout_seconds=_WATCH_SECONDS,
            _preload_content=False,
            _request_timeout=_WATCH_TIMEOUT,
        )
        with contextlib.closing(response):
            for _ in response.stream():
                yield


@contextlib.contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except ApiException as error:
        if not error.status:  # TLS failed
            raise ClusterError(_one_line(error.reason)) from error
        raise RejectedError(error) from error
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        cause = getattr(error, "reason", None) or error
        raise ClusterError(_one_line(cause)) from error


def _message(error: ApiException) -> str:
    """Read the message of a Status object, or the body as it is."""
    body = error.body or b""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return _one_line(json.loads(body)["message"])
    return _one_line(body.decode(errors="replace") if isinstance(body, bytes) else body)


def _one_line(text: object) -> str:
    """Make one line of a text that another program wrote: short, without control characters."""
    words = " ".join(str(text).split())[:_LONGEST_MESSAGE]
    return "".join(character if character.isprintable() else "?" for character in words)


def _date(headers: Any) -> datetime | None:  # noqa: ANN401 - urllib3's
    try:
        return parsedate_to_datetime((headers or {}).get("Date", "")).astimezone(UTC)
    except ValueError:
        return None
