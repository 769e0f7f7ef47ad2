"""Settings: a profile with a pod's options applied, within the administrator's policy."""

from msgspec import Struct

from webhook.config import Config, Mode, Policy, Profile, Resources, quantity
from webhook.config.image import is_allowed
from webhook.injection.annotations import PREFIX, Options, ParsedAnnotations
from webhook.injection.decisions import Problem, listed, quoted
from webhook.injection.reasons import Reason

_DIRECTORIES = {Mode.SIDECAR: "/var/run", Mode.NODE: "/var/run/dind"}


class Settings(Struct, frozen=True):
    """What the configuration file and the pod's annotations say about the pod's daemon.

    Attributes:
        name: the profile's name.
        namespace: the pod's.
        profile: the profile, with the pod's options in place of its own values.
        containers: names of the containers that get the socket, None for the default.
    """

    name: str
    namespace: str
    profile: Profile
    containers: tuple[str, ...] | None

    @property
    def socket_directory(self) -> str:
        """Directory of the socket, an absolute path."""
        return self.profile.socket.directory or _DIRECTORIES[self.profile.mode]

    @property
    def store_path(self) -> str | None:
        """Directory of the node with the image stores of the pod, None if it has none there."""
        persistent = self.profile.storage.persistent
        return f"{persistent.host_path}/{self.namespace}/{self.name}" if persistent else None


class Resolution(Struct, frozen=True):
    """Settings, None if the profile is not valid, and all problems."""

    settings: Settings | None
    problems: list[Problem]


def resolve(parsed: ParsedAnnotations, config: Config, namespace: str) -> Resolution:
    """Apply a pod's options to its profile, as far as the policy allows.

    Args:
        parsed: the pod's annotations.
        config: the configuration file.
        namespace: the pod's.
    """
    options = parsed.options
    name = config.default_profile if options.profile is None else options.profile
    problems = [*parsed.problems, *_policy_problems(parsed, config.policy)]
    if problem := _profile_problem(name, config, namespace):
        return Resolution(None, [*problems, problem])
    profile = config.profiles[name]
    if options.mode is not None and options.mode is not profile.mode:
        # The profile's directory is meant for the profile's mode.
        socket = profile.socket.model_copy(update={"directory": None})
        profile = profile.model_copy(update={"mode": options.mode, "socket": socket})
    problems += _mode_problems(options, profile.mode)
    problems += _store_problems(options, name, profile)
    if not problems:
        profile = _apply(options, profile)
    return Resolution(Settings(name, namespace, profile, options.containers), problems)


def _profile_problem(name: str, config: Config, namespace: str) -> Problem | None:
    allowed = config.allowed_profiles(namespace)
    if name in allowed:
        return None
    available = f"(available in this namespace: {listed(allowed)})"
    if name not in config.profiles:
        message = f"annotation {PREFIX}profile: unknown profile {quoted(name)} {available}"
        return Problem(Reason.UNKNOWN_PROFILE, message)
    message = f"profile {quoted(name)} is not allowed in namespace {quoted(namespace)} {available}"
    return Problem(Reason.PROFILE_NOT_ALLOWED, message)


def _policy_problems(parsed: ParsedAnnotations, policy: Policy) -> list[Problem]:
    problems: list[Problem] = []
    for name in parsed.names:
        value = getattr(parsed.options, name)
        if name not in policy.annotations:
            problems.append(_not_allowed(name, policy))
        elif value is None:
            continue
        elif name == "image" and not is_allowed(value, policy.images):
            problems.append(_image_not_allowed(value, policy))
        elif name in ("cpu", "memory", "storage"):
            problems += _over_maximum(name, value, policy)
    return problems


def _not_allowed(name: str, policy: Policy) -> Problem:
    allowed = ", ".join(PREFIX + name for name in ("inject", *sorted(policy.annotations)))
    return Problem(
        Reason.ANNOTATION_NOT_ALLOWED,
        f"annotation {PREFIX}{name}: not allowed by the administrator's policy "
        f"(allowed: {allowed})",
    )


def _image_not_allowed(value: str, policy: Policy) -> Problem:
    return Problem(
        Reason.IMAGE_NOT_ALLOWED,
        f"annotation {PREFIX}image: {quoted(value)} is not allowed by the administrator's policy "
        f"(allowed: {listed(policy.images)})",
    )


def _over_maximum(name: str, value: str, policy: Policy) -> list[Problem]:
    bound = getattr(policy.maximum, name)
    if bound is None or quantity.parse(value) <= quantity.parse(str(bound)):
        return []
    return [
        Problem(
            Reason.OVER_MAXIMUM,
            f"annotation {PREFIX}{name}: {quoted(value)} exceeds the maximum of the "
            f"administrator's policy ({bound})",
        )
    ]


def _mode_problems(options: Options, mode: Mode) -> list[Problem]:
    if mode is Mode.SIDECAR:
        return []
    return [
        Problem(
            Reason.NOT_IN_THIS_MODE,
            f"annotation {PREFIX}{name}: not accepted in mode node, which has no sidecar "
            f"(accepted: {PREFIX}profile, {PREFIX}mode, {PREFIX}containers)",
        )
        for name in ("cpu", "memory", "storage")
        if getattr(options, name) is not None
    ]


def _store_problems(options: Options, name: str, profile: Profile) -> list[Problem]:
    storage, wanted = profile.storage, options.storage
    if wanted is None or storage.persistent is None or profile.mode is Mode.NODE:
        return []
    kept = quantity.total(str(storage.keep_bytes()))
    if quantity.parse(wanted) >= storage.keep_bytes():
        return []
    return [
        Problem(
            Reason.SHARED_STORE,
            f"annotation {PREFIX}storage: {quoted(wanted)} is below what the image stores of "
            f"profile {quoted(name)} may hold when the job starts (accepted: at least {kept})",
        )
    ]


def _apply(options: Options, profile: Profile) -> Profile:
    if options.image is not None:
        profile = profile.model_copy(update={"image": options.image})
    if options.cpu is not None or options.memory is not None:
        profile = profile.model_copy(update={"resources": _limited(profile.resources, options)})
    if options.storage is not None:
        storage = profile.storage.model_copy(update={"size_limit": options.storage})
        if storage.persistent is not None:  # its default is a part of the profile's own limit
            keep = {"keep": profile.storage.keep_bytes()}
            persistent = storage.persistent.model_copy(update=keep)
            storage = storage.model_copy(update={"persistent": persistent})
        profile = profile.model_copy(update={"storage": storage})
    return profile


def _limited(resources: Resources, options: Options) -> Resources:
    """Set limits, and lower requests that would exceed them."""
    requests, limits = resources.requests, resources.limits
    for name in ("cpu", "memory"):
        limit = getattr(options, name)
        if limit is None:
            continue
        limits = limits.model_copy(update={name: limit})
        request = getattr(requests, name)
        if request is not None and quantity.parse(str(request)) > quantity.parse(limit):
            requests = requests.model_copy(update={name: limit})
    return Resources(requests=requests, limits=limits)
