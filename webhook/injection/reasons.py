"""Every reason a decision can have: its slug labels metrics, its sentence is what people read.

One member here is all that a new reason needs: the metric's label, `explain` and `docs/reasons.md`
follow.
"""

import enum


class Outcome(enum.StrEnum):
    """What happens to a pod."""

    INJECTED = "injected"
    SKIPPED = "skipped"
    DENIED = "denied"


class Reason(enum.Enum):
    """Why a pod is injected, left alone or refused.

    Attributes:
        slug: stable name, `[a-z-]+`; the value of the metric label `reason`.
        outcome: the one outcome that has this reason.
        sentence: one sentence for people.
        fix: what to do about it; empty where nothing needs doing.
    """

    __hash__ = object.__hash__  # members are what they are; the usual one hashes their names

    INJECTED = (
        "injected",
        Outcome.INJECTED,
        "The pod gets a Docker daemon.",
        "",
    )
    ALREADY_INJECTED = (
        "already-injected",
        Outcome.INJECTED,
        "The pod already has everything that an injection adds.",
        "",
    )
    MIRROR_POD = (
        "mirror-pod",
        Outcome.SKIPPED,
        "It is the mirror of a static pod, which only the kubelet can change.",
        "Run the job as an ordinary pod.",
    )
    OPTED_OUT = (
        "opted-out",
        Outcome.SKIPPED,
        'The pod says dind.io/inject: "false".',
        "Remove that annotation to follow the namespace's label.",
    )
    NOT_OPTED_IN = (
        "not-opted-in",
        Outcome.SKIPPED,
        "Neither the pod's annotation nor the namespace's label asks for Docker.",
        'Annotate the pod with dind.io/inject: "true", or label its namespace so.',
    )
    OWN_DAEMON = (
        "own-daemon",
        Outcome.SKIPPED,
        "The pod brings a Docker daemon of its own.",
        "Remove that container to get the injected one.",
    )
    NAMESPACE_FORBIDS = (
        "namespace-forbids",
        Outcome.DENIED,
        'The namespace is labelled dind.io/inject: "false", which forbids Docker there.',
        "Use another namespace, or ask its owner to remove the label.",
    )
    BAD_VALUE = (
        "bad-value",
        Outcome.DENIED,
        "An annotation has a value that cannot be read.",
        "Correct the value, or remove the annotation to get its default.",
    )
    UNKNOWN_ANNOTATION = (
        "unknown-annotation",
        Outcome.DENIED,
        "An annotation below dind.io/ does not exist.",
        "Correct its name; docs/annotations.md lists them all.",
    )
    ANNOTATION_NOT_ALLOWED = (
        "annotation-not-allowed",
        Outcome.DENIED,
        "The operator's policy does not let pods use this annotation.",
        "Remove it, or ask the operator to list it under policy.annotations.",
    )
    UNKNOWN_PROFILE = (
        "unknown-profile",
        Outcome.DENIED,
        "The profile that the pod names does not exist.",
        "Name a profile of the operator's file.",
    )
    PROFILE_NOT_ALLOWED = (
        "profile-not-allowed",
        Outcome.DENIED,
        "The operator's policy does not allow this profile in the pod's namespace.",
        "Name an allowed profile, or ask the operator to extend policy.profiles.",
    )
    UNKNOWN_CONTAINER = (
        "unknown-container",
        Outcome.DENIED,
        "dind.io/containers names a container that the pod does not have.",
        "Name containers of the pod, separated by commas.",
    )
    IMAGE_NOT_ALLOWED = (
        "image-not-allowed",
        Outcome.DENIED,
        "The operator's policy does not allow this image for the daemon.",
        "Name an image that matches policy.images, or remove the annotation.",
    )
    OVER_MAXIMUM = (
        "over-maximum",
        Outcome.DENIED,
        "The pod asks for more than the operator's policy allows.",
        "Ask for less, or ask the operator to raise policy.maximum.",
    )
    NOT_IN_THIS_MODE = (
        "not-in-this-mode",
        Outcome.DENIED,
        "The annotation sizes a sidecar, and in mode node the pod gets none.",
        "Remove the annotation, or choose a profile whose mode is sidecar.",
    )
    HOST_NETWORK = (
        "host-network",
        Outcome.DENIED,
        "With hostNetwork, the daemon would write its firewall rules and bridges into the node.",
        "Remove hostNetwork from the pod, or use a profile whose mode is node.",
    )
    WINDOWS = (
        "windows",
        Outcome.DENIED,
        "The daemon is a Linux program, and the pod is for Windows nodes.",
        "Build on a Linux node.",
    )
    HOST_USERS = (
        "host-users",
        Outcome.DENIED,
        "A privileged daemon does not work in a pod with hostUsers: false.",
        "Remove hostUsers, or use a profile with privileged: false and a runtimeClassName.",
    )
    RUNTIME_CLASS = (
        "runtime-class",
        Outcome.DENIED,
        "The pod and its profile name different runtime classes.",
        "Remove runtimeClassName from the pod, or choose another profile.",
    )
    TOO_MANY_CONTAINERS = (
        "too-many-containers",
        Outcome.DENIED,
        "The pod has more containers than any node would run.",
        "Split the job into several pods.",
    )
    NAME_TAKEN = (
        "name-taken",
        Outcome.DENIED,
        "A container of the pod has the name that the injected one needs.",
        "Rename that container.",
    )

    def __init__(self, slug: str, outcome: Outcome, sentence: str, fix: str) -> None:
        self.slug = slug
        self.outcome = outcome
        self.sentence = sentence
        self.fix = fix
