"""Access to what runs in a pod, and to its log, with the user's own permissions.

The chart's ClusterRole F-reader never grants these permissions.
"""

from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from webhook.cli.live import LiveCluster, NotAllowed, Unavailable
from webhook.cluster.client import ClusterError, RejectedError, fetch_bytes
from webhook.cluster.execution import Execution, NoAnswerError, execute
from webhook.config.wording import printable


class NoAnswer(Unavailable):
    """A command in a container did not end in time."""


class PodAccess(LiveCluster):
    """A cluster whose containers can be accessed; a pod is given by its namespace and name."""

    def execute(
        self,
        pod: tuple[str, str],
        container: str,
        command: Sequence[str],
        *,
        seconds: float,
        longest: int,
    ) -> Execution:
        """Run a command in a container of a pod, with limits on its output and time.

        Raises:
            NoAnswer: the command did not end in time.
        """
        request = partial(
            execute, self._access, pod, container, command, seconds=seconds, longest=longest
        )
        execution: Execution = self._inside(
            "exec into", "get and create on pods/exec", pod, request
        )
        return execution

    def log(
        self,
        pod: tuple[str, str],
        container: str,
        *,
        longest: int,
        tail: int | None = None,
        previous: bool = False,
    ) -> bytes:
        """Read the last `tail` lines of the log of a container, at most `longest` bytes."""
        namespace, name = pod
        request = partial(
            self._core.read_namespaced_pod_log,
            name,
            namespace,
            container=container,
            previous=previous,
            limit_bytes=longest,
            tail_lines=tail,
        )
        read = partial(fetch_bytes, request)
        text: bytes = self._inside("read logs of", "get on pods/log", pod, read)
        return text

    def _inside(
        self, verb: str, right: str, pod: tuple[str, str], request: Callable[[], Any]
    ) -> Any:  # noqa: ANN401 - what the request returns
        """Send a request about a container; `verb` completes the message "you may not ..."."""
        namespace, name = map(printable, pod)
        try:
            return request()
        except RejectedError as error:
            if error.status == HTTPStatus.FORBIDDEN:
                raise NotAllowed(
                    f"you may not {verb} pods in namespace {namespace}: the permission {right} "
                    f"is missing; {self.rights}"
                ) from error
            if error.status == HTTPStatus.UNAUTHORIZED:
                raise self.unknown_user() from error
            raise Unavailable(f"cannot {verb} pod {namespace}/{name}: {error}") from error
        except NoAnswerError as error:
            raise NoAnswer(f"cannot {verb} pod {namespace}/{name}: {error}") from error
        except ClusterError as error:
            message = f"cannot {verb} pod {namespace}/{name}: {error}"
            raise Unavailable(printable(message)) from error
