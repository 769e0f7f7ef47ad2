"""The steps of a start with dind-webhook's sidecar; each ends where the next one begins."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from node.images import CLI, DIND, PAUSE

from benchmarks.node.starting import Event, Start

_T = TypeVar("_T")
_Moment = Callable[[Start], float]  # in seconds since 1970


def durations(start: Start) -> Mapping[str, float]:
    """How long each step took, in seconds; together they end with docker's first answer.

    Raises:
        LookupError: a step is missing, so the pod has no such sidecar.
    """
    moments = [start.requested, *(end(start) for end in _ENDS.values())]
    lengths = (end - begin for begin, end in itertools.pairwise(moments))
    return dict(zip(_ENDS, lengths, strict=True))


def _event(image: str, topic: str) -> _Moment:
    """The first event of a topic of the container with an image."""

    def is_created(event: Event) -> bool:
        return event.topic == "/containers/create" and event.fields["image"].endswith(f"/{image}")

    def moment(start: Start) -> float:
        container = _first(event.container for event in start.events if is_created(event))
        return _first(
            event.time
            for event in start.events
            if (event.topic, event.container) == (topic, container)
        )

    return moment


def _logged(text: str) -> _Moment:
    """The first line of the daemon that contains a text."""
    return lambda start: _first(line.time for line in start.daemon if text in line.text)


def _hook_ended(start: Start) -> float:
    """The end of the postStart hook, the only process that is added to a container."""
    events = start.events
    hook = _first(event.fields["exec_id"] for event in events if event.topic == "/tasks/exec-added")
    return _first(
        event.time
        for event in events
        if event.topic == "/tasks/exit" and event.fields["id"] == hook
    )


def _first(found: Iterable[_T]) -> _T:
    for item in found:
        return item
    raise LookupError("the logs and events lack a step of a pod with dind-webhook's sidecar")


_ENDS: Mapping[str, _Moment] = {
    "webhook, scheduler, kubelet, volumes": _event(PAUSE, "/containers/create"),
    "the pod's sandbox and network": _event(DIND, "/containers/create"),
    "the sidecar's container": _event(DIND, "/tasks/start"),
    "start script, entrypoint, dockerd's first line": _logged('msg="Starting up"'),
    "dockerd: its own containerd": _logged('msg="Loading containers: start."'),
    "dockerd: networks": _logged('msg="Loading containers: done."'),
    "dockerd: BuildKit, listening": _logged('msg="API listen on'),
    "the hook's docker version ends": _hook_ended,
    "kubelet": _event(CLI, "/containers/create"),
    "the app's container": lambda start: start.requested + start.app_started,
    "the app's docker info": lambda start: start.requested + start.answered,
}
STEPS = tuple(_ENDS)
