"""Runs a command in a container of a pod, bounded in time and output.

Importing this module loads the `kubernetes` package, which takes half a second.
"""

import json
import threading
from collections.abc import Sequence
from typing import Any

from kubernetes.client import ApiClient, ApiException, CoreV1Api
from kubernetes.stream import stream
from msgspec import Struct
from websocket import ABNF, WebSocketBadStatusException, WebSocketException

from webhook.cluster.client import ClusterError, RejectedError

# The first byte of a frame. Source: k8s.io/apimachinery/pkg/util/remotecommand/constants.go.
_OUTPUT, _ERRORS, _STATUS = 1, 2, 3
_LONGEST_ERRORS = 64 * 1024


class NoAnswerError(ClusterError):
    """The command did not end in time."""


class Execution(Struct, frozen=True):
    """The result of a command: its standard output and error, and its exit code."""

    output: bytes
    errors: bytes
    exit_code: int


def execute(
    access: ApiClient,
    pod: tuple[str, str],
    container: str,
    command: Sequence[str],
    *,
    seconds: float,
    longest: int,
) -> Execution:
    """Run a command without input in a container of a pod, given by namespace and name.

    `seconds` and `longest`, the bytes of standard output, are bounds.

    Raises:
        NoAnswerError: the command did not end in time.
        RejectedError: the API server answered with an error.
        ClusterError: the output is too long, the command could not be started, or the API server
            did not answer.
    """
    # The client has no timeout for the handshake, in which the API server connects to the kubelet.
    results: list[Execution | Exception] = []

    def run() -> None:
        try:
            results.append(_execute(access, pod, container, command, longest))
        except Exception as error:  # noqa: BLE001 - raised below
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not results:
        raise NoAnswerError(f"no answer within {seconds:.0f} s")
    match results[0]:
        case Execution() as execution:
            return execution
        case error:
            raise error


def _execute(
    access: ApiClient, pod: tuple[str, str], container: str, command: Sequence[str], longest: int
) -> Execution:
    received = {_OUTPUT: bytearray(), _ERRORS: bytearray(), _STATUS: bytearray()}
    namespace, name = pod
    try:
        connection = stream(
            CoreV1Api(access).connect_get_namespaced_pod_exec,
            name,
            namespace,
            container=container,
            command=list(command),
            stdin=False,
            stdout=True,
            stderr=True,
            tty=False,
            _preload_content=False,
        )
        try:
            # The client's own methods read without limit as long as something arrives.
            while not received[_STATUS]:
                kind, frame = connection.sock.recv_data_frame(control_frame=True)
                if kind == ABNF.OPCODE_CLOSE:
                    break
                if kind in (ABNF.OPCODE_BINARY, ABNF.OPCODE_TEXT) and frame.data:
                    _receive(received, frame.data, longest)
        finally:
            connection.sock.shutdown()  # close() would wait for an answer
    except ApiException as error:
        raise _handshake_error(error) from error
    except (WebSocketException, OSError) as error:
        raise ClusterError(f"the connection broke: {error}") from error
    exit_code = _exit_code(bytes(received[_STATUS]))
    return Execution(bytes(received[_OUTPUT]), bytes(received[_ERRORS]), exit_code)


def _receive(received: dict[int, bytearray], data: bytes, longest: int) -> None:
    channel = received.get(data[0])
    if channel is None:
        return
    channel += data[1:]
    if len(received[_OUTPUT]) > longest:
        raise ClusterError(f"its output is longer than {longest} bytes")
    del received[_ERRORS][_LONGEST_ERRORS:]


def _handshake_error(error: ApiException) -> ClusterError:
    """Parse the API server's response, which the client embeds in a message."""
    cause = error.__context__
    if not isinstance(cause, WebSocketBadStatusException):
        return ClusterError(f"{error.reason}")
    answer = ApiException(status=cause.status_code, reason=cause.status_message)
    answer.body = (cause.resp_body or b"").decode(errors="replace")
    return RejectedError(answer)


def _exit_code(status: bytes) -> int:
    """Read the exit code of the Status object with which an exec ends."""
    try:
        data: dict[str, Any] = json.loads(status)
        if data["status"] == "Success":
            return 0
        causes = (data.get("details") or {}).get("causes") or ()
        for cause in causes:
            if cause["reason"] == "ExitCode":
                return int(cause["message"])
        message = data["message"]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ClusterError("the connection ended before the command") from error
    raise ClusterError(f"the command could not be started: {message}")
