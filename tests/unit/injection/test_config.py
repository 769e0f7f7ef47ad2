"""The operator's file: what it may say, and the words in which the rest is refused."""

from typing import Any

import msgspec
import pytest
from unit.injection.pods import LENIENT, injected, named, pod, problems

from webhook.injection.config import Config, Mode, Profile


def config(document: dict[str, Any]) -> Config:
    return msgspec.convert(document, Config)


def profile(**fields: Any) -> dict[str, Any]:
    return {"profiles": {"default": fields}}


def test_an_empty_file_is_the_built_in_profile_and_a_careful_policy() -> None:
    empty = config({})
    assert empty == Config()
    assert empty.profiles == {"default": Profile()}
    assert empty.policy.annotations == ("containers", "profile")
    assert empty.policy.images == []


def test_profiles_beside_the_built_in_one_leave_it_there() -> None:
    assert list(config({"profiles": {"large": {}}}).profiles) == ["large", "default"]


def test_a_file_with_another_default_has_only_the_profiles_that_it_lists() -> None:
    """Else pods could pick the built-in one, privileged, where the operator wrote none."""
    document = {
        "defaultProfile": "sysbox",
        "profiles": {"sysbox": {"privileged": False, "runtimeClassName": "sysbox-runc"}},
    }
    assert list(config(document).profiles) == ["sysbox"]
    assert problems(pod(annotations={"profile": "default"}), document) == [
        (
            'annotation dind.io/profile: unknown profile "default" '
            "(available in this namespace: sysbox)"
        )
    ]


def test_configurations_do_not_share_what_can_change() -> None:
    one, other = Config(), Config()
    assert one.profiles is not other.profiles


DENIED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": ({"profile": {}}, "Object contains unknown field `profile`"),
    "unknown key, deeper": (
        profile(daemon={"mirrors": []}),
        "Object contains unknown field `mirrors` - at `$.profiles[...].daemon`",
    ),
    "name of a profile": (
        {"profiles": {"Large": {}}},
        (
            "Expected `str` matching regex '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$' - at `key` in "
            "`$.profiles`"
        ),
    ),
    "default profile that is not there": (
        {"defaultProfile": "huge", "profiles": {"large": {}}},
        "defaultProfile is 'huge', which is not a profile (large)",
    ),
    "policy with a profile that is not there": (
        {"policy": {"profiles": {"team-*": ["huge"]}}},
        "policy.profiles.team-* names 'huge', which is not a profile (default)",
    ),
    "unknown mode": (profile(mode="both"), "Invalid enum value 'both' - at `$.profiles[...].mode`"),
    "unprivileged in an ordinary runtime": (
        profile(privileged=False),
        (
            "privileged: false needs a runtimeClassName (such as sysbox or kata), since dockerd "
            "does not start in an ordinary unprivileged container - at `$.profiles[...]`"
        ),
    ),
    "the same in mode node, which a pod may leave": (
        profile(mode="node", privileged=False),
        (
            "privileged: false needs a runtimeClassName (such as sysbox or kata), since dockerd "
            "does not start in an ordinary unprivileged container - at `$.profiles[...]`"
        ),
    ),
    "request above its limit": (
        profile(resources={"requests": {"memory": "8Gi"}, "limits": {"memory": "4Gi"}}),
        "requests.memory 8Gi is more than limits.memory 4Gi - at `$.profiles[...].resources`",
    ),
    "limit below the default request": (
        profile(resources={"limits": {"cpu": 0.1}}),
        "requests.cpu 250m is more than limits.cpu 0.1 - at `$.profiles[...].resources`",
    ),
    "limit that Kubernetes cannot hold": (
        profile(resources={"limits": {"memory": "99E"}}),
        (
            "memory is 99E, which is larger than Kubernetes can hold - at "
            "`$.profiles[...].resources.limits`"
        ),
    ),
    "store that Kubernetes cannot hold": (
        profile(storage={"sizeLimit": "99E"}),
        (
            "sizeLimit is 99E, which is larger than Kubernetes can hold - at "
            "`$.profiles[...].storage`"
        ),
    ),
    "maximum that Kubernetes cannot hold": (
        {"policy": {"maximum": {"memory": "99E"}}},
        "memory is 99E, which is larger than Kubernetes can hold - at `$.policy.maximum`",
    ),
    "infinite maximum": (
        {"policy": {"maximum": {"cpu": float("inf")}}},
        (
            "cpu is inf, which is not a Kubernetes quantity (such as 500m, 2 or 4Gi) - at "
            "`$.policy.maximum`"
        ),
    ),
    "pool that is no network": (
        profile(daemon={"defaultAddressPools": [{"base": "10.200.0.1/16", "size": 24}]}),
        (
            "base is not a network such as 10.200.0.0/16: 10.200.0.1/16 has host bits set - at "
            "`$.profiles[...].daemon.defaultAddressPools[0]`"
        ),
    ),
    "pool whose size does not fit": (
        profile(daemon={"defaultAddressPools": [{"base": "10.200.0.0/16", "size": 8}]}),
        (
            "size 8 does not fit 10.200.0.0/16; allowed are 16 to 32 - at "
            "`$.profiles[...].daemon.defaultAddressPools[0]`"
        ),
    ),
    "socket in the image store": (
        profile(socket={"directory": "/var/lib/docker"}),
        (
            "directory is /var/lib/docker, which would hide files of the daemon's or the job's "
            "image; allowed is a folder of its own, such as /var/run/dind - at "
            "`$.profiles[...].socket`"
        ),
    ),
    "socket above /var/run": (
        profile(socket={"directory": "/var"}),
        (
            "directory is /var, which would hide files of the daemon's or the job's image; allowed "
            "is a folder of its own, such as /var/run/dind - at `$.profiles[...].socket`"
        ),
    ),
    "socket folder that goes up": (
        profile(socket={"directory": "/srv/../var/run"}),
        "directory is /srv/../var/run; write it as /var/run - at `$.profiles[...].socket`",
    ),
    "node's socket in /var/run itself": (
        profile(mode="node", socket={"directory": "/run"}),
        (
            "socket.directory is /var/run, where mode node would hide the kubelet's own mounts; "
            "allowed is a folder of its own, such as /var/run/dind - at `$.profiles[...]`"
        ),
    ),
    "group of root": (
        profile(socket={"gid": 0}),
        "Expected `int` >= 1 - at `$.profiles[...].socket.gid`",
    ),
}


@pytest.mark.parametrize(("document", "message"), DENIED.values(), ids=DENIED)
def test_a_file_that_would_break_pods_is_refused(document: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refusal:
        config(document)
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    "fields",
    [
        {"mtu": 100},
        {"mtu": "1500"},
        {"registryMirrors": ["mirror.example"]},
        {"insecureRegistries": ["a b"]},
        {"extraArgs": ["-D"]},
        {"extraArgs": ["debug"]},
        {"extraArgs": ["--label=a\nb"]},
    ],
    ids=str,
)
def test_flags_that_dockerd_would_not_read_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        config(profile(daemon=fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"image": "docker:"},
        {"startTimeout": 0},
        {"startTimeout": 601},
        {"placement": "first"},
        {"storage": {"medium": "memory"}},
        {"storage": {"sizeLimit": "20 Gi"}},
        {"resources": {"limits": {"gpu": 1}}},
        {"resources": {"limits": {"cpu": -1}}},
        {"imagePullSecrets": [{"name": ""}]},
        {"imagePullSecrets": ["secret"]},
        {"runtimeClassName": "Kata"},
        {"socket": {"directory": "run"}},
        {"socket": {"directory": "/var/run/"}},
        {"socket": {"directory": "/a b"}},
    ],
    ids=str,
)
def test_values_out_of_bounds_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        config(profile(**fields))


def test_numbers_are_quantities_too() -> None:
    resources = {"requests": {"cpu": 0.5}, "limits": {"cpu": 2, "memory": 4294967296}}
    after = injected(pod(), profile(resources=resources, storage={"sizeLimit": 10**10}))
    assert named(after, "dind")["resources"] == {
        "requests": {"cpu": "0.5"},
        "limits": {"cpu": "2", "memory": "4294967296"},
    }
    assert after["spec"]["volumes"][-1]["emptyDir"] == {"sizeLimit": "10000000000"}


def test_a_folder_of_a_profile_stays_behind_when_a_pod_takes_the_other_mode() -> None:
    """The node's daemon listens where the chart put it, not where the profile's sidecar would."""
    document = {**LENIENT, **profile(socket={"directory": "/var/run"})}
    after = injected(pod(annotations={"mode": "node"}), document)
    assert named(after, "dind-wait")["args"] == ["60", "unix:///var/run/dind/docker.sock"]


def test_types_are_the_file_s_words() -> None:
    read = config(profile(mode="node", imagePullSecrets=[{"name": "pull"}]))
    assert read.profiles["default"].mode is Mode.NODE
    assert [secret.name for secret in read.profiles["default"].image_pull_secrets] == ["pull"]
