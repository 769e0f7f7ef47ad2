"""The checks between an opted-in pod and its daemon, in the order in which they run.

`decide` and `examine` run the same checks, so that an explanation cannot differ from a decision.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from msgspec import Struct

from webhook.config import Config, Isolation, Mode, Placement
from webhook.injection import bounds, exporter
from webhook.injection.annotations import PREFIX, parse_annotations
from webhook.injection.decisions import (
    Decision,
    Denied,
    Injected,
    Problem,
    Skipped,
    listed,
    quoted,
    warning,
)
from webhook.injection.existing import (
    ExistingInjection,
    find_existing_injection,
    injected_name,
)
from webhook.injection.exporter import is_exporter
from webhook.injection.inject import inject
from webhook.injection.optin import INJECT, MIRROR_POD, Endpoint, opt_in
from webhook.injection.own_daemon import OwnDaemons, find_own_daemons, warn_of_daemons
from webhook.injection.pod import Pod
from webhook.injection.reasons import Reason
from webhook.injection.settings import Resolution, resolve


class Admission(Struct, frozen=True):
    """A pod about to be created.

    Attributes:
        endpoint: the path of the request, which tells how the pod opted in.
        namespace: the pod's, which its own metadata need not contain yet.
        pod: the pod.
    """

    endpoint: Endpoint
    namespace: str
    pod: Pod


@dataclass
class Case:
    """An admission and what follows from it, computed when the first check needs it."""

    admission: Admission
    config: Config

    @cached_property
    def resolution(self) -> Resolution:
        """The settings, and the problems of the annotations."""
        parsed = parse_annotations(self.admission.pod.annotations)
        return resolve(parsed, self.config, self.admission.namespace)

    @cached_property
    def existing(self) -> ExistingInjection | None:
        """What an earlier injection added."""
        return find_existing_injection(self.admission.pod)

    @cached_property
    def own_daemons(self) -> OwnDaemons:
        """What the pod has of Docker daemons of its own."""
        return find_own_daemons(self.admission.pod, self.existing)


class Passed(Struct, frozen=True):
    """The check found nothing against an injection."""


class Fits(Passed, frozen=True):
    """There is room for the injection; the answer of the last check."""

    injection: Injected


class NotEvaluated(Struct, frozen=True):
    """The check could not be run; `cause` completes "not evaluated: "."""

    cause: str


Answer = Passed | NotEvaluated | Skipped | Denied

_PASSED = Passed()
_NO_SETTINGS = NotEvaluated("the pod has no valid profile")
_NO_NAMES = NotEvaluated("the container names are not valid")


class Check(Struct, frozen=True):
    """One question about a pod.

    Attributes:
        name: short name for users.
        question: for users; "yes" is the answer of a pod that passes.
        run: answers it.
        is_final: if it denies the pod, the checks after it are not run.
    """

    name: str
    question: str
    run: Callable[[Case], Answer]
    is_final: bool = False


class CheckResult(Struct, frozen=True):
    """The answer of one check."""

    check: Check
    answer: Answer


def _denied_if(problems: Sequence[Problem]) -> Answer:
    return Denied(problems) if problems else _PASSED


def _check_mirror_pod(case: Case) -> Answer:
    return Skipped(Reason.MIRROR_POD) if MIRROR_POD in case.admission.pod.annotations else _PASSED


def _check_opt_in(case: Case) -> Answer:
    match opt_in(case.admission.endpoint, case.admission.pod.annotations.get(INJECT)):
        case None:
            return _PASSED
        case Skipped() as skipped:
            return skipped
        case problem:
            return Denied([problem])


def _check_size(case: Case) -> Answer:
    problems = bounds.exceeded(case.admission.pod)
    if problems and not bounds.exceeded(case.admission.pod, factor=bounds.INJECTED_FACTOR):
        return _denied_if(problems if case.existing is None else ())
    return _denied_if(problems)


def _check_annotations(case: Case) -> Answer:
    return _denied_if(case.resolution.problems)


def _check_containers(case: Case) -> Answer:
    if f"{PREFIX}containers" not in case.admission.pod.annotations:
        return _PASSED
    settings = case.resolution.settings
    if settings is None:
        return _NO_SETTINGS
    names, profile = settings.containers, settings.profile
    if names is None:
        return _NO_NAMES
    is_native = profile.placement is Placement.INIT_CONTAINER or profile.mode is Mode.NODE
    pod, injected = case.admission.pod, injected_name(profile.mode)
    containers = pod.all_containers() if is_native else pod.containers
    available = [container.name for container in containers if container.name != injected]
    known = set(available)
    return _denied_if(
        [
            Problem(
                Reason.UNKNOWN_CONTAINER,
                f"annotation {PREFIX}containers: unknown container {quoted(name)} "
                f"(available in this pod: {listed(available)})",
            )
            for name in names
            if name not in known
        ]
    )


def _check_own_daemon(case: Case) -> Answer:
    name = case.own_daemons.found
    if name is None:
        return _PASSED
    text = "container {} is a Docker daemon of the pod's own: the pod is skipped"
    return Skipped(Reason.OWN_DAEMON, (warning(text, name),))


def _check_platform(case: Case) -> Answer:
    spec, settings = case.admission.pod.spec, case.resolution.settings
    reasons = []
    if spec.is_for_windows():
        reasons.append(Reason.WINDOWS)
    if settings is not None and settings.profile.mode is Mode.SIDECAR:
        if spec.host_network:
            reasons.append(Reason.HOST_NETWORK)
        isolation = settings.profile.isolation
        if isolation is Isolation.PRIVILEGED and spec.host_users is False:
            reasons.append(Reason.HOST_USERS)
        if isolation is Isolation.USER_NAMESPACE and spec.uses_namespaces_of_node():
            reasons.append(Reason.USER_NAMESPACE)
    if not reasons and settings is None:
        return _NO_SETTINGS
    return _denied_if(
        [Problem(reason, f"{reason.sentence} {reason.fix}".rstrip(".")) for reason in reasons]
    )


def _check_fit(case: Case) -> Answer:
    settings = case.resolution.settings
    if settings is None:
        return _NO_SETTINGS
    profile = settings.profile
    pod, problems = case.admission.pod, list[Problem]()
    own, wanted = pod.spec.runtime_class_name, profile.runtime_class_name
    if profile.mode is Mode.SIDECAR and own and wanted and own != wanted:
        text = f"spec.runtimeClassName: {quoted(own)} is not the runtime class of profile "
        text += f"{settings.name} (accepted: {quoted(wanted)})"
        problems.append(Problem(Reason.RUNTIME_CLASS, text))
    reserved = injected_name(profile.mode)
    if case.existing is None and any(c.name == reserved for c in pod.all_containers()):
        text = f"container name {quoted(reserved)} is reserved for the injected container"
        problems.append(Problem(Reason.NAME_TAKEN, text))
    # The pod's author may have written what looks like an earlier injection.
    if case.existing is not None and case.existing.mode is not profile.mode:
        text = f"container {quoted(injected_name(case.existing.mode))} is the injected container "
        text += f"of mode {case.existing.mode}, and the pod's mode is {profile.mode}"
        problems.append(Problem(Reason.NAME_TAKEN, text))
    if profile.mode is Mode.SIDECAR and profile.daemon.metrics is not None:
        problems += _exporter_problems(pod, profile.daemon.metrics.port)
    warnings = warn_of_daemons(case.own_daemons.possible)
    injection = inject(pod, settings, case.existing, warnings)
    if isinstance(injection, Denied):
        return Denied([*problems, *injection.problems])
    return Denied(problems) if problems else Fits(injection)


def _exporter_problems(pod: Pod, port: int) -> list[Problem]:
    """Find containers with the name or the port of the exporter."""
    problems = []
    others = [c for c in pod.init_containers if not is_exporter(c)]
    for container in (*others, *pod.containers):
        if container.name == exporter.NAME:
            text = f"container name {quoted(exporter.NAME)} is reserved for the exporter of the "
            text += "daemon's metrics"
            problems.append(Problem(Reason.NAME_TAKEN, text))
        if container.declares_port(port):
            text = f"container {quoted(container.name)} declares port {port}, which is that of the "
            text += "daemon's metrics"
            problems.append(Problem(Reason.PORT_TAKEN, text))
    return problems


CHECKS: tuple[Check, ...] = (
    Check("mirror pod", "Is it a pod that the API server can change?", _check_mirror_pod),
    Check("opt-in", "Do the pod and its namespace ask for Docker?", _check_opt_in),
    Check("size", "Is it within the bounds on the size of a pod?", _check_size, is_final=True),
    Check("annotations", "Are its dind.io annotations valid and allowed?", _check_annotations),
    Check("containers", "Does it have the containers that it names?", _check_containers),
    Check("own daemon", "Does it come without a Docker daemon of its own?", _check_own_daemon),
    Check("platform", "Can a daemon run in such a pod?", _check_platform),
    Check("fit", "Is there room for what is injected?", _check_fit),
)


def examine(admission: Admission, config: Config) -> list[CheckResult]:
    """Run the checks in order.

    Returns:
        One result per check, up to the first that ends the examination: it skips the pod, or finds
        it too large.
    """
    answers = _run_checks(admission, config)
    return [CheckResult(check, answer) for check, answer in zip(CHECKS, answers, strict=False)]


def decide(admission: Admission, config: Config) -> Decision:
    """Decide what happens to a pod.

    Args:
        admission: the pod, its namespace, and how it opted in.
        config: the configuration file.

    Returns:
        Injected with a patch, Skipped with a reason, or Denied with all problems at once.
    """
    answers = _run_checks(admission, config)
    problems: list[Problem] = []
    for answer in answers:
        if isinstance(answer, Denied):
            problems += answer.problems
    if problems:
        return Denied(problems)
    last = answers[-1]
    if isinstance(last, Skipped):
        return last
    assert isinstance(last, Fits)  # noqa: S101 - otherwise there is a problem
    return last.injection


def _run_checks(admission: Admission, config: Config) -> list[Answer]:
    """Return the answers of the first checks, or of all."""
    case = Case(admission, config)
    answers = []
    for check in CHECKS:
        answer = check.run(case)
        answers.append(answer)
        if isinstance(answer, Skipped) or (check.is_final and isinstance(answer, Denied)):
            break
    return answers
