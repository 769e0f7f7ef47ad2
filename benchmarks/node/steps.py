"""Where the time of a pod with our sidecar goes: one moment after the other."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeVar

from node.images import CLI, DIND, PAUSE

from benchmarks.node.starting import Start

_T = TypeVar("_T")
_Moment = Callable[[Start], float]


class Step(NamedTuple):
    """A part of a start, and the moment that ends it, in seconds since 1970."""

    name: str
    ends: _Moment


def durations(start: Start) -> Mapping[str, float]:
    """How long each step took, in seconds; together they lead to docker's first answer.

    Raises:
        LookupError: something did not happen, so this is no pod with our sidecar.
    """
    moments = [start.requested, *(step.ends(start) for step in STEPS)]
    took = (end - begin for begin, end in itertools.pairwise(moments))
    return dict(zip((step.name for step in STEPS), took, strict=True))


def _event(image: str, topic: str) -> _Moment:
    """The first event of this kind that the container with this image had."""

    def moment(start: Start) -> float:
        container = _first(
            event.container
            for event in start.events
            if event.topic == "/containers/create" and event.about["image"].endswith(f"/{image}")
        )
        return _first(
            event.time
            for event in start.events
            if (event.topic, event.container) == (topic, container)
        )

    return moment


def _said(words: str) -> _Moment:
    """The daemon's first line with these words."""
    return lambda start: _first(line.time for line in start.daemon if words in line.text)


def _hook_ended(start: Start) -> float:
    """No other process is added to a container here."""
    hook = _first(
        event.about["exec_id"] for event in start.events if event.topic == "/tasks/exec-added"
    )
    return _first(
        event.time
        for event in start.events
        if event.topic == "/tasks/exit" and event.about["id"] == hook
    )


def _first(found: Iterable[_T]) -> _T:
    for one in found:
        return one
    raise LookupError("a step of the pod's start is not among what was seen")


STEPS = (
    Step("webhook, scheduler, kubelet, volumes", _event(PAUSE, "/containers/create")),
    Step("the pod's sandbox and network", _event(DIND, "/containers/create")),
    Step("the sidecar's container", _event(DIND, "/tasks/start")),
    Step("start script, entrypoint, dockerd's first line", _said('msg="Starting up"')),
    Step("dockerd: its own containerd", _said('msg="Loading containers: start."')),
    Step("dockerd: networks", _said('msg="Loading containers: done."')),
    Step("dockerd: BuildKit, listening", _said('msg="API listen on')),
    Step("the hook's docker version ends", _hook_ended),
    Step("kubelet", _event(CLI, "/containers/create")),
    Step("the app's container", lambda start: start.requested + start.app_started),
    Step("the app's docker info", lambda start: start.requested + start.answered),
)
