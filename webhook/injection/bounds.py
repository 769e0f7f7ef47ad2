"""Bounds on the size of a pod, so that no pod takes the webhook away from the others.

The webhook sees pods before the API server validates them. Counting the items of a decoded pod
costs less than decoding it.
"""

from webhook.injection.annotations import PREFIX, STATUS
from webhook.injection.decisions import Problem, quoted
from webhook.injection.pod import Pod
from webhook.injection.reasons import Reason

CONTAINERS = 1_000
MOUNTS = 2_000
VOLUMES = 1_000
VARIABLES = 10_000
WORDS = 10_000
ITEMS = 10_000  # of every other list that is decoded
PATCH_OPERATIONS = 2_000
#: Characters of names, images, commands, arguments and paths. etcd takes objects of 1.5 MiB.
TEXT = 256 * 1024
OWN_ANNOTATIONS = 100
ANNOTATION_LENGTH = 4_096  # characters

#: For pods that carry an injection, when the API server calls the webhook again: an injection adds
#: up to two mounts to each container, and at most every mount to the daemon.
INJECTED_FACTOR = 3

Count = tuple[int, str, int]  # count, what is counted, bound


def exceeded(pod: Pod, *, factor: int = 1) -> list[Problem]:
    """Find the bounds that a pod exceeds.

    Counting costs less than decoding, however large the pod is: what is inside the items of a list
    is counted only if their number is within its bound.

    Args:
        pod: the pod.
        factor: by which the bounds on lists and text are multiplied, see `INJECTED_FACTOR`.

    Returns:
        One problem per exceeded bound, of all that were counted.
    """
    spec, containers = pod.spec, pod.all_containers()
    groups = spec.security_context.supplemental_groups if spec.security_context else None
    problems = _exceeded(
        factor,
        (len(containers), "containers, init containers included", CONTAINERS),
        (len(pod.volumes), "volumes", VOLUMES),
        (len(pod.annotations), "annotations", ITEMS),
        (len(pod.metadata.owner_references or ()), "ownerReferences", ITEMS),
        (len(spec.image_pull_secrets or ()), "imagePullSecrets", ITEMS),
        (len(groups or ()), "supplementalGroups", ITEMS),
        (len(spec.node_terms()), "nodeSelectorTerms", ITEMS),
    )
    if problems:
        return problems
    conditions = 0  # of node affinity
    for term in spec.node_terms():
        conditions += len(term.match_fields or ())
        conditions += sum(1 + len(each.values or ()) for each in term.match_expressions or ())
    mounts = variables = words = ports = 0
    for container in containers:
        mounts += len(container.volume_mounts or ())
        variables += len(container.env or ())
        ports += len(container.ports or ())
        words += len(container.command or ()) + len(container.args or ())
        words += len(container.post_start())
    problems = _exceeded(
        factor,
        (conditions, "requirements and values in node affinity", ITEMS),
        (mounts, "volumeMounts in all containers", MOUNTS),
        (variables, "environment variables in all containers", VARIABLES),
        (ports, "ports of all containers", ITEMS),
        (words, "words in command, args and postStart of all containers", WORDS),
    )
    if problems:
        return problems
    text = 0
    for volume in pod.volumes:
        text += len(volume.name) + len(volume.host_path.path if volume.host_path else "")
        text += len(volume.csi.driver if volume.csi else "")
        text += len(volume.secret.secret_name if volume.secret else "")
    for container in containers:
        text += len(container.name) + len(container.image or "")
        text += sum(map(len, container.command or ())) + sum(map(len, container.args or ()))
        text += sum(map(len, container.post_start()))
        for mount in container.volume_mounts or ():
            text += len(mount.name) + len(mount.mount_path) + len(mount.sub_path or "")
            text += len(mount.sub_path_expr or "")
    what = "characters in names, images, commands, arguments and paths"
    return _exceeded(factor, (text, what, TEXT)) or _annotation_problems(pod)


def _exceeded(factor: int, *counts: Count) -> list[Problem]:
    problems = []
    for count, what, bound in counts:
        if count > bound * factor:
            text = f"the pod has {count:,} {what} (accepted: up to {bound:,})"
            problems.append(Problem(Reason.POD_TOO_LARGE, text))
    return problems


def _annotation_problems(pod: Pod) -> list[Problem]:
    keys = [key for key in pod.annotations if key.startswith(PREFIX)]
    if len(keys) > OWN_ANNOTATIONS:
        text = f"the pod has {len(keys):,} annotations below {PREFIX} "
        return [Problem(Reason.POD_TOO_LARGE, f"{text}(accepted: up to {OWN_ANNOTATIONS})")]
    problems = []
    for key in keys:
        length = max(len(key), len(pod.annotations[key]))
        # The webhook writes the status, which is long if the pod has many containers.
        if length > ANNOTATION_LENGTH and key != STATUS:
            text = f"annotation {quoted(key)} has {length:,} characters "
            text += f"(accepted: up to {ANNOTATION_LENGTH:,})"
            problems.append(Problem(Reason.POD_TOO_LARGE, text))
    return problems
