"""The gates between an opted-in pod and its daemon, in the order in which they are asked.

`decide` and `explain` walk the same gates, so that an explanation cannot differ from a decision.
"""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from webhook.config import Config, Mode, Placement
from webhook.injection import annotations, node, shape
from webhook.injection.decisions import (
    Decision,
    Denied,
    Problem,
    Skipped,
    listed,
    quoted,
    warning,
)
from webhook.injection.inject import inject
from webhook.injection.optin import INJECT, MIRROR_POD, Endpoint, verdict
from webhook.injection.pod import Pod
from webhook.injection.reasons import Reason
from webhook.injection.settings import Resolution, resolve

# Each costs a little; a pod of 3 MiB could have 190,000 (and no kubelet would run it).
_MOST_CONTAINERS = 1000


class Admission(Struct, frozen=True):
    """A pod about to be created.

    Attributes:
        endpoint: how the API server came to ask.
        namespace: the pod's, since its own metadata may not say so yet.
        pod: the pod.
    """

    endpoint: Endpoint
    namespace: str
    pod: Pod


class Case(Struct, frozen=True):
    """An admission, what its annotations come to, and what an earlier injection left in the pod."""

    admission: Admission
    pod: Pod
    annotations: Mapping[str, str]
    resolution: Resolution
    earlier: shape.ExistingInjection | None


Answer = Skipped | Sequence[Problem]  # an empty sequence lets the pod pass


class Check(Struct, frozen=True):
    """One question about a pod; `name` and `question` are for people."""

    name: str
    question: str
    ask: Callable[[Case], Answer]


class CheckResult(Struct, frozen=True):
    """What one gate answered."""

    gate: Check
    answer: Answer


def _mirror_pod(case: Case) -> Answer:
    return Skipped(Reason.MIRROR_POD) if MIRROR_POD in case.annotations else ()


def _opt_in(case: Case) -> Answer:
    match verdict(case.admission.endpoint, case.annotations.get(INJECT)):
        case None:
            return ()
        case Skipped() as skipped:
            return skipped
        case problem:
            return (problem,)


def _annotations(case: Case) -> Answer:
    return case.resolution.problems


def _containers(case: Case) -> Answer:
    settings = case.resolution.settings
    if settings is None or settings.containers is None:
        return ()
    native = settings.profile.placement is Placement.INIT_CONTAINER
    mode = settings.profile.mode
    selectable = shape.selectable(case.pod, mode, before_init=native or mode is Mode.NODE)
    known = set(selectable)
    return [
        Problem(
            Reason.UNKNOWN_CONTAINER,
            f"annotation {annotations.PREFIX}containers names {quoted(name)}, which the pod does "
            f"not have; allowed are {listed(selectable)}",
        )
        for name in settings.containers
        if name not in known
    ]


def _own_daemon(case: Case) -> Answer:
    name = shape.brings_own_daemon(case.pod, case.earlier)
    if name is None:
        return ()
    text = f"container {name} is a Docker daemon of the pod's own: the pod is left alone"
    return Skipped(Reason.OWN_DAEMON, (warning(text),))


def _platform(case: Case) -> Answer:
    pod, settings = case.pod, case.resolution.settings
    reasons = []
    if (pod.spec.os is not None and pod.spec.os.name == "windows") or (
        (pod.spec.node_selector or {}).get("kubernetes.io/os") == "windows"
    ):
        reasons.append(Reason.WINDOWS)
    if settings is not None and settings.profile.mode is Mode.SIDECAR:
        if pod.spec.host_network:
            reasons.append(Reason.HOST_NETWORK)
        if pod.spec.host_users is False and settings.profile.privileged:
            reasons.append(Reason.HOST_USERS)
    return [Problem(reason, _told(reason)) for reason in reasons] if reasons else ()


def _told(reason: Reason) -> str:
    return f"{reason.sentence} {reason.fix}".rstrip(".")


def _fit(case: Case) -> Answer:
    settings = case.resolution.settings
    if settings is None:
        return ()
    problems = []
    theirs, ours = case.pod.spec.runtime_class_name, settings.profile.runtime_class_name
    if settings.profile.mode is Mode.SIDECAR and theirs and ours and theirs != ours:
        text = f"runtimeClassName is {quoted(theirs)}; allowed with profile {settings.name} is "
        problems.append(Problem(Reason.RUNTIME_CLASS, text + quoted(ours)))
    if (count := len(case.pod.all_containers())) > _MOST_CONTAINERS:
        text = f"the pod has {count} containers; allowed are up to {_MOST_CONTAINERS}"
        problems.append(Problem(Reason.TOO_MANY_CONTAINERS, text))
    # In mode sidecar, a container of the injected one's name counts as the pod's own daemon.
    own = node.NAME if settings.profile.mode is Mode.NODE and case.earlier is None else None
    if own and any(container.name == own for container in case.pod.all_containers()):
        text = f"a container is named {quoted(own)}, which is the injected one's name; rename it"
        problems.append(Problem(Reason.NAME_TAKEN, text))
    return problems


CHECKS: tuple[Check, ...] = (
    Check("mirror pod", "Is it a pod that the API server can change?", _mirror_pod),
    Check("opt-in", "Do the pod and its namespace ask for Docker?", _opt_in),
    Check("annotations", "Are its dind.io annotations valid and allowed?", _annotations),
    Check("containers", "Does it have the containers that it names?", _containers),
    Check("own daemon", "Does it come without a Docker daemon of its own?", _own_daemon),
    Check("platform", "Can a daemon run in such a pod?", _platform),
    Check("fit", "Is there room for what is injected?", _fit),
)


def examine(admission: Admission, config: Config) -> list[CheckResult]:
    """Ask the gates in order, up to the first that ends it by leaving the pod alone."""
    case = _case(admission, config)
    findings: list[CheckResult] = []
    for gate in CHECKS:
        answer = gate.ask(case)
        findings.append(CheckResult(gate, answer))
        if isinstance(answer, Skipped):
            break
    return findings


def decide(admission: Admission, config: Config) -> Decision:
    """Decide what happens to a pod.

    Args:
        admission: the pod, its namespace, and how it opted in.
        config: the operator's file.

    Returns:
        Injected with a patch, Skipped with a reason, or Denied with every problem at once.
    """
    case = _case(admission, config)
    problems: list[Problem] = []
    for gate in CHECKS:
        answer = gate.ask(case)
        if not answer:
            continue
        if isinstance(answer, Skipped):
            return Denied(problems) if problems else answer
        problems += answer
    if problems:
        return Denied(problems)
    settings = case.resolution.settings
    assert settings is not None  # noqa: S101 - without a profile there is a problem
    return inject(case.pod, settings, case.earlier)


def _case(admission: Admission, config: Config) -> Case:
    pod = admission.pod
    said = pod.annotations
    resolution = resolve(annotations.read(said), config, admission.namespace)
    return Case(admission, pod, said, resolution, shape.find_existing_injection(pod))
