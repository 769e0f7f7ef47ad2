"""The reasons of decisions: a slug for metrics and logs, a sentence and a fix for users.

A new reason is one member here. The metric's label, `explain` and docs/users/reasons.md follow it.
"""

import enum


class Outcome(enum.StrEnum):
    """What happens to a pod."""

    INJECTED = "injected"
    SKIPPED = "skipped"
    DENIED = "denied"


class Reason(enum.Enum):
    """Why a pod is injected, skipped or denied.

    Attributes:
        slug: stable name, `[a-z-]+`; the value of the metric label `reason`.
        outcome: the one outcome that has this reason.
        sentence: what it means, for users.
        fix: what the user can do about it; empty if nothing needs to be done.
    """

    __hash__ = object.__hash__  # faster than Enum's, which hashes the name

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
        'The pod has the annotation dind.io/inject: "false".',
        "Remove that annotation to follow the namespace's label.",
    )
    NOT_OPTED_IN = (
        "not-opted-in",
        Outcome.SKIPPED,
        "Neither the pod's annotation nor the namespace's label asks for Docker.",
        'Annotate the pod with dind.io/inject: "true", or add this label to its namespace.',
    )
    OWN_DAEMON = (
        "own-daemon",
        Outcome.SKIPPED,
        "The pod has a Docker daemon of its own.",
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
        "An annotation has an invalid value.",
        "Correct the value, or remove the annotation to get its default.",
    )
    UNKNOWN_ANNOTATION = (
        "unknown-annotation",
        Outcome.DENIED,
        "The pod has an unknown annotation below dind.io/.",
        "Correct its name; docs/users/annotations.md lists all annotations.",
    )
    ANNOTATION_NOT_ALLOWED = (
        "annotation-not-allowed",
        Outcome.DENIED,
        "The administrator's policy does not let pods use this annotation.",
        "Remove it, or ask the administrator to add it to policy.annotations.",
    )
    UNKNOWN_PROFILE = (
        "unknown-profile",
        Outcome.DENIED,
        "The configuration file has no profile of the name in the annotation.",
        "Name a profile of the configuration file.",
    )
    PROFILE_NOT_ALLOWED = (
        "profile-not-allowed",
        Outcome.DENIED,
        "The administrator's policy does not allow this profile in the pod's namespace.",
        "Name an allowed profile, or ask the administrator to extend policy.profiles.",
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
        "The administrator's policy does not allow this image for the daemon.",
        "Name an image that matches policy.images, or remove the annotation.",
    )
    OVER_MAXIMUM = (
        "over-maximum",
        Outcome.DENIED,
        "The pod asks for more than the administrator's policy allows.",
        "Ask for less, or ask the administrator to raise policy.maximum.",
    )
    NOT_IN_THIS_MODE = (
        "not-in-this-mode",
        Outcome.DENIED,
        "The annotation sizes a sidecar, and in mode node the pod gets none.",
        "Remove the annotation, or choose a profile whose mode is sidecar.",
    )
    SHARED_STORE = (
        "shared-store",
        Outcome.DENIED,
        "The annotation asks for less than a shared image store may hold when the job starts.",
        "Ask for more, remove the annotation, or choose a profile without storage.persistent.",
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
        "Remove hostUsers, or use a profile with isolation: userNamespace.",
    )
    USER_NAMESPACE = (
        "user-namespace",
        Outcome.DENIED,
        "The profile runs pods in a user namespace, which cannot share namespaces of the node.",
        "Remove hostUsers: true, hostPID and hostIPC from the pod, or use another profile.",
    )
    RUNTIME_CLASS = (
        "runtime-class",
        Outcome.DENIED,
        "The pod and its profile name different runtime classes.",
        "Remove runtimeClassName from the pod, or choose another profile.",
    )
    POD_TOO_LARGE = (
        "pod-too-large",
        Outcome.DENIED,
        "The pod, or the patch for it, exceeds a bound on its size.",
        "Split the job into several pods, or remove what it does not need.",
    )
    NAME_TAKEN = (
        "name-taken",
        Outcome.DENIED,
        "A container of the pod has the name that the injected one needs.",
        "Rename that container.",
    )

    PORT_TAKEN = (
        "port-taken",
        Outcome.DENIED,
        "A container of the pod declares the port on which the exporter serves metrics.",
        "Let that container listen on another port, or choose a profile without daemon.metrics.",
    )

    def __init__(self, slug: str, outcome: Outcome, sentence: str, fix: str) -> None:
        self.slug = slug
        self.outcome = outcome
        self.sentence = sentence
        self.fix = fix
