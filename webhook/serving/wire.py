"""The review as it comes over the wire: typed where the core reads it, bytes everywhere else.

Every field that an API server knows has its place here, and the ones that nobody reads stay the
bytes that they are. That is what tells cheaply whether an object had the same key twice, of which
JSON's readers take this one or that: a review is written again, and as many bytes as before prove
that nothing was lost. Anything else (spaces, a field that is not listed) is searched in full.

What is long and rarely matters stays bytes too, until somebody asks: a job's variables are most of
a large pod, and one of a hundred says DOCKER_HOST.
Source of the fields: Kubernetes API 1.37, in the order in which an API server writes them.
"""

import re
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, defstruct
from msgspec.structs import fields

from webhook.injection import pod
from webhook.injection.annotations import PREFIX
from webhook.injection.optin import MIRROR_POD
from webhook.serving.duplicates import has_duplicate_keys

_NULL: Final = Raw(b"null")
# An escape that a letter of a word could hide behind.
_ESCAPED_LETTER: Final = re.compile(rb"\\u00[4-7]")


class DuplicateKeys(Exception):  # noqa: N818 - what was found
    """An object has the same key twice."""


def _whole(base: type[Struct], names: str, **typed: Any) -> Any:  # noqa: ANN401 - types
    """Give a type the fields that it lacks, as bytes that may be absent.

    Args:
        base: what is read of the object.
        names: all its fields, as JSON has them.
        typed: other types for some that are read; those may be null, unless they must be there.
    """
    known = {field.name: field for field in fields(base)}
    looked_into = [
        (name, kind) if name in known and known[name].required else (name, kind | None, None)
        for name, kind in typed.items()
    ]
    present = {field.encode_name for field in known.values()} | typed.keys()
    rest = [(name, Raw | UnsetType, UNSET) for name in names.split() if name not in present]
    return defstruct(base.__name__, [*looked_into, *rest], bases=(base,), omit_defaults=True)


def _list(item: Any) -> Any:  # noqa: ANN401 - types
    return list[item]


class _Nothing(Struct):
    """An object of which nothing is read."""


class _ReadContainer(pod.Container, rename="camel"):
    command: Raw = _NULL  # type: ignore[assignment]
    args: Raw = _NULL  # type: ignore[assignment]
    env: Raw = _NULL  # type: ignore[assignment]

    def command_words(self) -> list[str]:
        return _WORDS.decode(self.command) or []

    def arguments(self) -> list[str]:
        return _WORDS.decode(self.args) or []

    def mentions(self, word: str) -> bool:
        return _may_hold(self.command, word.encode()) or _may_hold(self.args, word.encode())

    def has_variables(self) -> bool:
        return _is_list(self.env)

    def variable(self, name: str) -> pod.EnvVar | None:
        if not _may_hold(self.env, name.encode()):
            return None
        variables = _once(self.env, _VARIABLES) or []
        return next((one for one in reversed(variables) if one.name == name), None)


def _may_hold(value: Raw, word: bytes) -> bool:
    text = bytes(value)
    return word in text or (b"\\" in text and _ESCAPED_LETTER.search(text) is not None)


def _is_list(value: Raw) -> bool:
    """Tell a list from null.

    Raises:
        msgspec.ValidationError: it is neither.
    """
    first = bytes(value)[:1]
    if first not in (b"[", b"n"):
        raise msgspec.ValidationError("Expected `array | null` for `env`")
    return first == b"["


def _once(value: Raw, decoder: msgspec.json.Decoder[Any]) -> Any:  # noqa: ANN401 - JSON
    """Decode what was left as bytes, and look for keys that stand twice in it.

    Raises:
        DuplicateKeys: there is one.
        msgspec.ValidationError: it is of another type.
    """
    decoded = decoder.decode(value)
    if has_duplicate_keys(bytes(value)):
        raise DuplicateKeys
    return decoded


class _ReadMeta(pod.ObjectMeta, rename="camel"):
    annotations: dict[str, Raw] | None = None  # type: ignore[assignment]


class _ReadPod(pod.Pod):
    @property
    def annotations(self) -> dict[str, str]:
        """Those that the core reads."""
        return {
            key: _text(key, value)
            for key, value in (self.metadata.annotations or {}).items()
            if key.startswith(PREFIX) or key == MIRROR_POD
        }


def _text(key: str, value: str) -> str:
    try:
        text: str = _TEXT.decode(value)  # it is a Raw
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError(f"{error} - at annotation {key!a}") from None
    return text


class GroupVersionKind(Struct, gc=False, omit_defaults=True):
    """What kind of object a request is about."""

    group: str | UnsetType = UNSET
    version: str | UnsetType = UNSET
    kind: str | UnsetType = UNSET


class Request(Struct, rename="camel", omit_defaults=True):
    """The part of an AdmissionRequest that is read."""

    uid: str
    kind: GroupVersionKind
    operation: str
    object: pod.Pod | None = None
    namespace: str = ""
    sub_resource: str = ""
    dry_run: bool | None = None


class Review(Struct, rename="camel"):
    """An AdmissionReview."""

    api_version: str
    kind: str
    request: Request


_TEXT = msgspec.json.Decoder(str)
_WORDS = msgspec.json.Decoder(list[str] | None)
_VARIABLES = msgspec.json.Decoder(list[pod.EnvVar] | None)

_Owner = _whole(pod.OwnerReference, "apiVersion kind name uid controller blockOwnerDeletion")
_Meta = _whole(
    _ReadMeta,
    "name generateName namespace selfLink uid resourceVersion generation creationTimestamp"
    " deletionTimestamp deletionGracePeriodSeconds labels annotations ownerReferences finalizers"
    " managedFields",
    owner_references=_list(_Owner),
)
_Volume = _whole(
    pod.Volume,
    "name hostPath emptyDir gcePersistentDisk awsElasticBlockStore gitRepo secret nfs iscsi"
    " glusterfs persistentVolumeClaim rbd flexVolume cinder cephfs flocker downwardAPI fc azureFile"
    " configMap vsphereVolume quobyte azureDisk photonPersistentDisk projected portworxVolume"
    " scaleIO storageos csi ephemeral image",
    host_path=_whole(pod.HostPath, "path type"),
    empty_dir=_whole(_Nothing, "medium sizeLimit"),
    persistent_volume_claim=_whole(_Nothing, "claimName readOnly"),
    ephemeral=_whole(_Nothing, "volumeClaimTemplate"),
)
_Mount = _whole(
    pod.VolumeMount,
    "name readOnly recursiveReadOnly mountPath subPath mountPropagation subPathExpr"
    " bindMountOptions",
)
_Resources = _whole(
    pod.ContainerResources, "limits requests claims", limits=dict[str, Raw], requests=dict[str, Raw]
)
_Container = _whole(
    _ReadContainer,
    "name image command args workingDir ports envFrom env resources resizePolicy restartPolicy"
    " restartPolicyRules volumeMounts volumeDevices livenessProbe readinessProbe startupProbe"
    " lifecycle terminationMessagePath terminationMessagePolicy imagePullPolicy securityContext"
    " stdin stdinOnce tty",
    volume_mounts=_list(_Mount),
    resources=_Resources,
)
_SecurityContext = _whole(
    pod.PodSecurityContext,
    "seLinuxOptions windowsOptions runAsUser runAsGroup runAsNonRoot supplementalGroups"
    " supplementalGroupsPolicy fsGroup sysctls fsGroupChangePolicy seccompProfile appArmorProfile"
    " seLinuxChangePolicy",
)
_Spec = _whole(
    pod.PodSpec,
    "volumes initContainers containers ephemeralContainers restartPolicy"
    " terminationGracePeriodSeconds activeDeadlineSeconds dnsPolicy nodeSelector serviceAccountName"
    " serviceAccount automountServiceAccountToken nodeName hostNetwork hostPID hostIPC"
    " shareProcessNamespace securityContext imagePullSecrets hostname subdomain affinity"
    " schedulerName tolerations hostAliases priorityClassName priority dnsConfig readinessGates"
    " runtimeClassName enableServiceLinks preemptionPolicy overhead topologySpreadConstraints"
    " setHostnameAsFQDN os hostUsers schedulingGates resourceClaims resources hostnameOverride"
    " workloadRef schedulingGroup evictionResponders",
    volumes=_list(_Volume),
    init_containers=_list(_Container),
    containers=_list(_Container),
    security_context=_SecurityContext,
)


_Pod = _whole(_ReadPod, "kind apiVersion metadata spec status", metadata=_Meta, spec=_Spec)
_Request = _whole(
    Request,
    "uid kind resource subResource requestKind requestResource requestSubResource name namespace"
    " operation userInfo object oldObject dryRun options",
    object=_Pod,
)


_Review = _whole(Review, "kind apiVersion request", request=_Request)

_REVIEW = msgspec.json.Decoder(_Review)
_ENCODER = msgspec.json.Encoder()


def decode(body: bytes) -> Review:
    """Read a review.

    Args:
        body: JSON.

    Raises:
        DuplicateKeys: an object that is read has the same key twice.
        msgspec.DecodeError: it is not JSON, or (ValidationError) no review.
        RecursionError: it is nested too deep.
    """
    review: Review = _REVIEW.decode(body)
    written = len(_ENCODER.encode(review))
    # Go ends a text with a line break.
    if written != len(body) - body.endswith(b"\n") and has_duplicate_keys(body):
        raise DuplicateKeys
    return review
