"""Settings: a profile with a pod's options applied, after the operator's policy had its say."""

from msgspec import Struct

from webhook.config import Config, Mode, Policy, Profile, Resources, Storage, quantity
from webhook.config.image import is_allowed
from webhook.injection.annotations import PREFIX, Options, Reading
from webhook.injection.decisions import Problem, listed, quoted
from webhook.injection.reasons import Reason

_DIRECTORIES = {Mode.SIDECAR: "/var/run", Mode.NODE: "/var/run/dind"}


class Settings(Struct, frozen=True):
    """All that is decided about a pod's daemon before the pod's own shape is looked at.

    Attributes:
        name: the profile's name.
        profile: the profile, with the pod's options in place of its own values.
        containers: names of the containers that get the socket, None for the usual ones.
    """

    name: str
    profile: Profile
    containers: tuple[str, ...] | None

    @property
    def socket_directory(self) -> str:
        """Folder of the socket, an absolute path."""
        return self.profile.socket.directory or _DIRECTORIES[self.profile.mode]


class Resolution(Struct, frozen=True):
    """Settings, None where the profile itself is in doubt, and every problem on the way."""

    settings: Settings | None
    problems: tuple[Problem, ...]


def resolve(reading: Reading, config: Config, namespace: str) -> Resolution:
    """Apply what a pod asks for to the profile that it names, as far as policy allows.

    Args:
        reading: the pod's annotations.
        config: the operator's file.
        namespace: the pod's.
    """
    if not reading.names and not reading.problems and not config.policy.profiles:
        return _unasked(config.default_profile, config.profiles[config.default_profile])
    options = reading.options
    name = config.default_profile if options.profile is None else options.profile
    problems = [*reading.problems, *_against_policy(reading, config.policy)]
    if problem := _profile_problem(name, config, namespace):
        return Resolution(None, (*problems, problem))
    profile = config.profiles[name]
    if options.mode is not None and options.mode is not profile.mode:
        # A folder of the profile's own belongs to the profile's own mode.
        socket = profile.socket.model_copy(update={"directory": None})
        profile = profile.model_copy(update={"mode": options.mode, "socket": socket})
    problems += _against_mode(options, profile.mode)
    if not problems:
        profile = _apply(options, profile)
    return Resolution(Settings(name, profile, options.containers), tuple(problems))


def _unasked(name: str, profile: Profile) -> Resolution:
    """The settings of pods that ask for nothing, in a cluster whose namespaces are all alike."""
    return Resolution(Settings(name, profile, None), ())


def _profile_problem(name: str, config: Config, namespace: str) -> Problem | None:
    allowed = config.policy.allowed_profiles(namespace, config)
    if name in allowed:
        return None
    names = listed(allowed)
    if name not in config.profiles:
        return Problem(
            Reason.UNKNOWN_PROFILE,
            f"annotation {PREFIX}profile is {quoted(name)}, which is not a profile; "
            f"allowed here are {names}",
        )
    return Problem(
        Reason.PROFILE_NOT_ALLOWED,
        f"profile {quoted(name)} is not allowed in namespace {quoted(namespace)}; "
        f"allowed here are {names} (annotation {PREFIX}profile)",
    )


def _against_policy(reading: Reading, policy: Policy) -> list[Problem]:
    problems: list[Problem] = []
    for name in reading.names:
        value = getattr(reading.options, name)
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
        f"annotation {PREFIX}{name} is not allowed by the operator's policy; allowed are {allowed}",
    )


def _image_not_allowed(value: str, policy: Policy) -> Problem:
    allowed = "allowed are " + ", ".join(policy.images) if policy.images else "none are allowed"
    return Problem(
        Reason.IMAGE_NOT_ALLOWED,
        f"annotation {PREFIX}image is {quoted(value)}, which the operator's policy does not "
        f"allow; {allowed}",
    )


def _over_maximum(name: str, value: str, policy: Policy) -> list[Problem]:
    bound = getattr(policy.maximum, name)
    if bound is None or quantity.parse(value) <= quantity.parse(str(bound)):
        return []
    return [
        Problem(
            Reason.OVER_MAXIMUM,
            f"annotation {PREFIX}{name} is {quoted(value)}, which is over the operator's "
            f"maximum; allowed is up to {bound}",
        )
    ]


def _against_mode(options: Options, mode: Mode) -> list[Problem]:
    if mode is Mode.SIDECAR:
        return []
    return [
        Problem(
            Reason.NOT_IN_THIS_MODE,
            f"annotation {PREFIX}{name} sizes a sidecar, and in mode node the pod has none; "
            f"allowed are {PREFIX}profile, {PREFIX}mode and {PREFIX}containers",
        )
        for name in ("cpu", "memory", "storage")
        if getattr(options, name) is not None
    ]


def _apply(options: Options, profile: Profile) -> Profile:
    if options.image is not None:
        profile = profile.model_copy(update={"image": options.image})
    if options.cpu is not None or options.memory is not None:
        profile = profile.model_copy(update={"resources": _limited(profile.resources, options)})
    if options.storage is not None:
        profile = profile.model_copy(update={"storage": _sized(profile.storage, options.storage)})
    return profile


def _limited(resources: Resources, options: Options) -> Resources:
    """Set limits, and lower the requests that would then lie above them."""
    requests, limits = resources.requests, resources.limits
    for name in ("cpu", "memory"):
        wanted = getattr(options, name)
        if wanted is None:
            continue
        limits = limits.model_copy(update={name: wanted})
        request = getattr(requests, name)
        if request is not None and quantity.parse(str(request)) > quantity.parse(wanted):
            requests = requests.model_copy(update={name: wanted})
    return resources.model_copy(update={"requests": requests, "limits": limits})


def _sized(storage: Storage, size: str) -> Storage:
    return storage.model_copy(update={"size_limit": size})
