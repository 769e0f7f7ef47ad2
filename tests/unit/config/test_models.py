"""The configuration file: what it may say, and the words in which the rest is refused."""

import json
from typing import Any

import pytest
from unit.injection.pods import LENIENT, injected, named, pod, problems

from webhook.config import Config, ConfigError, Mode, Profile, parse_config


def config(document: dict[str, Any]) -> Config:
    return parse_config(json.dumps(document).encode(), "f")


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
    """Else pods could pick the built-in one, privileged, where the administrator wrote none."""
    document = {
        "defaultProfile": "sysbox",
        "profiles": {"sysbox": {"isolation": "runtimeClass", "runtimeClassName": "sysbox-runc"}},
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


SHARE = (
    '"trusted", which lets jobs of one namespace with this profile change each other\'s images and '
    "build cache"
)
DENIED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": (
        {"profile": {}},
        (
            'profile: unknown key, did you mean "profiles"? (accepted: apiVersion, '
            "defaultProfile, profiles, policy)"
        ),
    ),
    "unknown key, deeper": (
        profile(daemon={"mirrors": []}),
        (
            "profiles.default.daemon.mirrors: unknown key (accepted: defaultAddressPools, mtu, "
            "extraArgs, proxy, env, config, metrics)"
        ),
    ),
    "name of a profile": (
        {"profiles": {"Large": {}}},
        (
            'profiles: key "Large" is not a name of at most 63 lower-case letters, digits and '
            "inner hyphens"
        ),
    ),
    "default profile that is not there": (
        {"defaultProfile": "huge", "profiles": {"large": {}}},
        'defaultProfile: unknown profile "huge" (profiles: large)',
    ),
    "policy with a profile that is not there": (
        {"policy": {"profiles": {"team-*": ["huge"]}}},
        'policy.profiles["team-*"][0]: unknown profile "huge" (profiles: default)',
    ),
    "unknown mode": (
        profile(mode="both"),
        'profiles.default.mode: "both" is not "sidecar" or "node"',
    ),
    "a runtime without a name": (
        profile(isolation="runtimeClass"),
        (
            "profiles.default.isolation: runtimeClass needs a runtimeClassName (such as sysbox or "
            "kata)"
        ),
    ),
    "the same in mode node, which a pod may leave": (
        profile(mode="node", isolation="runtimeClass"),
        (
            "profiles.default.isolation: runtimeClass needs a runtimeClassName (such as sysbox or "
            "kata)"
        ),
    ),
    "directories of the node in a user namespace": (
        profile(isolation="userNamespace", nodeDirectories=["/lib/modules"]),
        (
            "profiles.default.nodeDirectories: not accepted with isolation userNamespace, which "
            "keeps the node out"
        ),
    ),
    "a seccomp profile without a user namespace": (
        profile(seccompProfile="dind-seccomp.json"),
        "profiles.default.seccompProfile: accepted only with isolation userNamespace",
    ),
    "a seccomp profile beside the kubelet's directory": (
        profile(isolation="userNamespace", seccompProfile="../dind-seccomp.json"),
        (
            'profiles.default.seccompProfile: "../dind-seccomp.json" is not the relative path of '
            "a file (such as dind-seccomp.json)"
        ),
    ),
    "unknown isolation": (
        profile(isolation="user-namespace"),
        (
            'profiles.default.isolation: "user-namespace" is not "privileged", "userNamespace" or '
            '"runtimeClass"'
        ),
    ),
    "an exporter beside a daemon that is no native sidecar": (
        profile(placement="container", daemon={"metrics": {}}),
        (
            "profiles.default.placement: container is not accepted with daemon.metrics, whose "
            "exporter is a native sidecar (accepted: initContainer)"
        ),
    ),
    "an exporter with a port that needs privileges": (
        profile(daemon={"metrics": {"port": 80}}),
        "profiles.default.daemon.metrics.port: 80 is not a whole number from 1024 to 65535",
    ),
    "an exporter with the port of dockerd's metrics, by a flag": (
        profile(daemon={"metrics": {}, "extraArgs": ["--metrics-addr=0.0.0.0:9323"]}),
        (
            "profiles.default.daemon.metrics.port: 9323 is the port of dockerd's own metrics, by "
            "metrics-addr; use another"
        ),
    ),
    "an exporter with the port of dockerd's metrics, in daemon.json": (
        profile(daemon={"metrics": {"port": 9400}, "config": {"metrics-addr": "127.0.0.1:9400"}}),
        (
            "profiles.default.daemon.metrics.port: 9400 is the port of dockerd's own metrics, by "
            "metrics-addr; use another"
        ),
    ),
    "an exporter with the memory of none": (
        profile(daemon={"metrics": {"resources": {"limits": {"memory": "8Mi"}}}}),
        (
            "profiles.default.daemon.metrics.resources.limits.memory: 8Mi is below the default "
            "requests.memory, 80Mi"
        ),
    ),
    "request above its limit": (
        profile(resources={"requests": {"memory": "8Gi"}, "limits": {"memory": "6Gi"}}),
        "profiles.default.resources.limits.memory: 6Gi is below requests.memory, 8Gi",
    ),
    "limit below the default request": (
        profile(resources={"limits": {"cpu": 0.1}}),
        "profiles.default.resources.limits.cpu: 0.1 is below the default requests.cpu, 250m",
    ),
    "request above the default limit": (
        profile(resources={"requests": {"memory": "8Gi"}}),
        "profiles.default.resources.limits.memory: the default 4Gi is below requests.memory, 8Gi",
    ),
    "limit that Kubernetes cannot hold": (
        profile(resources={"limits": {"memory": "99E"}}),
        'profiles.default.resources.limits.memory: "99E" is larger than Kubernetes can hold',
    ),
    "store that Kubernetes cannot hold": (
        profile(storage={"sizeLimit": "99E"}),
        'profiles.default.storage.sizeLimit: "99E" is larger than Kubernetes can hold',
    ),
    "store in memory and on a PVC": (
        profile(storage={"medium": "Memory", "volumeClaimTemplate": {}}),
        (
            'profiles.default.storage.volumeClaimTemplate: not accepted with medium "Memory" '
            "(accepted: one of the two)"
        ),
    ),
    "store on a PVC without a size": (
        profile(storage={"sizeLimit": 0, "volumeClaimTemplate": {}}),
        (
            "profiles.default.storage.volumeClaimTemplate: needs a sizeLimit above 0, which the "
            "PVC requests"
        ),
    ),
    "store on a PVC with other access modes": (
        profile(storage={"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteMany"]}}}),
        (
            "profiles.default.storage.volumeClaimTemplate.spec.accessModes: unknown key "
            "(accepted: storageClassName)"
        ),
    ),
    "store on a PVC of a class that cannot exist": (
        profile(storage={"volumeClaimTemplate": {"spec": {"storageClassName": "Fast SSD"}}}),
        (
            'profiles.default.storage.volumeClaimTemplate.spec.storageClassName: "Fast SSD" is '
            "not the name of a StorageClass (lower-case letters, digits, inner hyphens and dots)"
        ),
    ),
    "persistent store that says nothing of sharing": (
        profile(storage={"persistent": {}}),
        (
            "profiles.default.storage.persistent.share: required field is missing (accepted: "
            f"{SHARE})"
        ),
    ),
    "persistent store that is shared otherwise": (
        profile(storage={"persistent": {"share": "no"}}),
        f'profiles.default.storage.persistent.share: "no" is not {SHARE}',
    ),
    "persistent store in a directory of the system": (
        profile(storage={"persistent": {"share": "trusted", "hostPath": "/var/lib/kubelet/dind"}}),
        (
            'profiles.default.storage.persistent.hostPath: "/var/lib/kubelet/dind" is at, below '
            "or above a directory of the node's system (accepted: a directory of its own, such as "
            "/var/lib/dind-webhook)"
        ),
    ),
    "persistent store above directories of the system": (
        profile(storage={"persistent": {"share": "trusted", "hostPath": "/var/lib"}}),
        (
            'profiles.default.storage.persistent.hostPath: "/var/lib" is at, below '
            "or above a directory of the node's system (accepted: a directory of its own, such as "
            "/var/lib/dind-webhook)"
        ),
    ),
    "persistent store whose directory is not normal": (
        profile(storage={"persistent": {"share": "trusted", "hostPath": "/mnt/../dind"}}),
        (
            'profiles.default.storage.persistent.hostPath: "/mnt/../dind" is not a normalized '
            'path (write "/dind")'
        ),
    ),
    "persistent store whose directory is relative": (
        profile(storage={"persistent": {"share": "trusted", "hostPath": "dind"}}),
        (
            'profiles.default.storage.persistent.hostPath: "dind" is not an absolute path of at '
            "most 255 letters, digits and ._-/ without a slash at its end (such as "
            "/var/lib/dind-webhook)"
        ),
    ),
    "directory of the node with a slash at its end": (
        profile(nodeDirectories=["/lib/modules/"]),
        (
            'profiles.default.nodeDirectories[0]: "/lib/modules/" is not an absolute path of at '
            "most 255 letters, digits and ._-/ without a slash at its end (such as /lib/modules)"
        ),
    ),
    "persistent store that keeps nothing": (
        profile(storage={"persistent": {"share": "trusted", "keep": 0}}),
        "profiles.default.storage.persistent.keep: needs at least one byte",
    ),
    "persistent store that keeps more than a job may use": (
        profile(storage={"persistent": {"share": "trusted", "keep": "40Gi"}}),
        (
            "profiles.default.storage.persistent.keep: 40Gi is above sizeLimit, 20Gi, at which "
            "the store's pod is deleted"
        ),
    ),
    "persistent store with an age of no unit": (
        profile(storage={"persistent": {"share": "trusted", "maxAge": "168"}}),
        (
            'profiles.default.storage.persistent.maxAge: "168" is not a number of hours or days '
            "(such as 12h or 7d)"
        ),
    ),
    "persistent store without a size": (
        profile(storage={"sizeLimit": 0, "persistent": {"share": "trusted"}}),
        "profiles.default.storage.persistent: needs a sizeLimit above 0",
    ),
    "persistent stores in the directory of others": (
        {
            "profiles": {
                "0": {"storage": {"persistent": {"share": "trusted", "hostPath": "/mnt/a/ci"}}},
                "large": {"storage": {"persistent": {"share": "trusted", "hostPath": "/mnt/a"}}},
            }
        },
        (
            "profiles.0.storage.persistent.hostPath: /mnt/a/ci is in /mnt/a, the hostPath of "
            'profile "large" (accepted: the same directory, or one beside it)'
        ),
    ),
    "persistent store that is not one of containerd": (
        profile(
            storage={"persistent": {"share": "trusted"}},
            daemon={"config": {"features": {"containerd-snapshotter": False}}},
        ),
        (
            "profiles.default.daemon.config.features.containerd-snapshotter: false is not accepted "
            "with storage.persistent, whose stores are those of containerd (accepted: true)"
        ),
    ),
    "persistent store of a user namespace": (
        profile(storage={"persistent": {"share": "trusted"}}, isolation="userNamespace"),
        (
            "profiles.default.isolation: userNamespace is not accepted with storage.persistent "
            "(accepted: privileged)"
        ),
    ),
    "maximum that Kubernetes cannot hold": (
        {"policy": {"maximum": {"memory": "99E"}}},
        'policy.maximum.memory: "99E" is larger than Kubernetes can hold',
    ),
    "infinite maximum": (
        {"policy": {"maximum": {"cpu": float("inf")}}},
        'policy.maximum.cpu: "Infinity" is not a Kubernetes quantity (such as 500m, 2 or 4Gi)',
    ),
    "pool that is no network": (
        profile(daemon={"defaultAddressPools": [{"base": "10.200.0.1/16", "size": 24}]}),
        (
            'profiles.default.daemon.defaultAddressPools[0].base: "10.200.0.1/16" is not the first '
            'address of its network (write "10.200.0.0/16")'
        ),
    ),
    "pool whose size does not fit": (
        profile(daemon={"defaultAddressPools": [{"base": "10.200.0.0/16", "size": 8}]}),
        (
            "profiles.default.daemon.defaultAddressPools[0].size: 8 does not fit base "
            "10.200.0.0/16 (accepted: from 16 to 32)"
        ),
    ),
    "socket in the image store": (
        profile(socket={"directory": "/var/lib/docker"}),
        (
            'profiles.default.socket.directory: "/var/lib/docker" would hide files of the '
            "daemon's or the job's image (accepted: a directory of its own, such as "
            "/var/run/dind)"
        ),
    ),
    "socket above /var/run": (
        profile(socket={"directory": "/var"}),
        (
            'profiles.default.socket.directory: "/var" would hide files of the daemon\'s or the '
            "job's image (accepted: a directory of its own, such as /var/run/dind)"
        ),
    ),
    "socket directory too long for the address of a socket": (
        profile(socket={"directory": "/" + "r" * 95}),
        (
            f'profiles.default.socket.directory: "/{"r" * 55}... is not an absolute path of at '
            "most 95 letters, digits and ._-/ without a slash at its end (such as /var/run/dind)"
        ),
    ),
    "socket directory that goes up": (
        profile(socket={"directory": "/srv/../var/run"}),
        (
            'profiles.default.socket.directory: "/srv/../var/run" is not a normalized path '
            '(write "/var/run")'
        ),
    ),
    "node's socket in /var/run itself": (
        profile(mode="node", socket={"directory": "/run"}),
        (
            'profiles.default.socket.directory: "/run" would hide the kubelet\'s own mounts in '
            "mode node (accepted: a directory of its own, such as /var/run/dind)"
        ),
    ),
    "group of root": (
        profile(socket={"gid": 0}),
        "profiles.default.socket.gid: 0 is not a whole number from 1 to 2147483647",
    ),
    "annotation of the webhook": (
        profile(podAnnotations={"dind.io/profile": "large"}),
        (
            'profiles.default.podAnnotations: key "dind.io/profile" is an annotation of '
            "dind-webhook (accepted: those of other programs)"
        ),
    ),
    "annotation of static pods": (
        profile(podAnnotations={"kubernetes.io/config.mirror": "hash"}),
        (
            'profiles.default.podAnnotations: key "kubernetes.io/config.mirror" marks static pods '
            "of the kubelet (accepted: other annotations)"
        ),
    ),
    "annotation that Kubernetes rejects": (
        profile(podAnnotations={"istio.io/a/b": "false"}),
        (
            'profiles.default.podAnnotations: key "istio.io/a/b" is not the key of an annotation '
            "(such as sidecar.istio.io/inject)"
        ),
    ),
    "annotation without a name": (
        profile(podAnnotations={"": "false"}),
        (
            'profiles.default.podAnnotations: key "" is not the key of an annotation '
            "(such as sidecar.istio.io/inject)"
        ),
    ),
    "annotation with a long prefix": (
        profile(podAnnotations={f"{'a.' * 126}ab/name": "false"}),
        (
            f'profiles.default.podAnnotations: key "{"a." * 28}... has a prefix of 254 characters '
            "(accepted: 253)"
        ),
    ),
    "annotation that is no string": (
        profile(podAnnotations={"sidecar.istio.io/inject": False}),
        (
            'profiles.default.podAnnotations["sidecar.istio.io/inject"]: false is not a string '
            '(in quotes it is: "false")'
        ),
    ),
    "annotations that leave a pod no room for its own": (
        profile(podAnnotations={"example.com/note": "é" * 2**15}),
        (
            "profiles.default.podAnnotations: keys and values have 65552 bytes (accepted: at most "
            "65536)"
        ),
    ),
    "more annotations than an injection adds": (
        profile(podAnnotations={f"example.com/{number}": "" for number in range(101)}),
        "profiles.default.podAnnotations: has too many items (accepted: at most 100)",
    ),
}


@pytest.mark.parametrize(("document", "problem"), DENIED.values(), ids=DENIED)
def test_configuration_files_that_would_break_pods_are_rejected(
    document: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        config(document)
    assert caught.value.problems == [problem]


@pytest.mark.parametrize(
    "base",
    [
        *("10.200.0.0", "10.200.0.0/255.255.0.0", "10.0.0.0/0.255.255.255", "10.200.0.0/33"),
        *("10.200.0.0/016", "10.200.0/16", "fe80::%eth0/64", "10.200.0.0/-1", "10.200.0.0/16 "),
    ],
)
def test_pools_are_networks_as_dockerd_reads_them(base: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(profile(daemon={"defaultAddressPools": [{"base": base, "size": 24}]}))
    assert caught.value.problems == [
        (
            f'profiles.default.daemon.defaultAddressPools[0].base: "{base}" is not a network (such '
            "as 10.200.0.0/16)"
        )
    ]


@pytest.mark.parametrize(("base", "size"), [("10.200.0.0/16", 24), ("fd00::/48", 64)])
def test_pools_are_of_both_ip_versions(base: str, size: int) -> None:
    config(profile(daemon={"defaultAddressPools": [{"base": base, "size": size}]}))


@pytest.mark.parametrize(
    "directory",
    ["lib", "/", "/var", "/var/run/x", "/run", "/var/lib/docker/x", "/proc/sys", "/a/../b", "/a/"],
)
def test_directories_of_the_node_cannot_hide_files_of_the_daemon(directory: str) -> None:
    with pytest.raises(ConfigError):
        config(profile(nodeDirectories=[directory]))


@pytest.mark.parametrize("directory", ["/lib/modules", "/usr/src", "/etc/pki", "/srv"])
def test_other_directories_of_the_node_are_accepted(directory: str) -> None:
    config(profile(nodeDirectories=[directory]))


@pytest.mark.parametrize(
    "fields",
    [
        {"mtu": 100},
        {"mtu": "1500"},
        {"extraArgs": ["-D"]},
        {"extraArgs": ["debug"]},
        {"extraArgs": ["--label=a\nb"]},
    ],
    ids=str,
)
def test_invalid_dockerd_flags_are_rejected(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
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
def test_invalid_profile_fields_are_rejected(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        config(profile(**fields))


@pytest.mark.parametrize(
    "key",
    [
        "cluster-autoscaler.kubernetes.io/safe-to-evict",
        "note",
        "A_b.c",
        "Example.com/x",
        f"{'a.' * 126}a/{'n' * 63}",
        "my.dind.io/x",
    ],
)
def test_annotations_of_other_programs_are_accepted(key: str) -> None:
    annotations = {key: "any\nvalue"}
    assert config(profile(podAnnotations=annotations)).profiles["default"].pod_annotations == (
        annotations
    )


def test_all_problems_of_annotations_are_found_at_once() -> None:
    annotations = {"dind.io/inject": "true", "a b": "", "example.com/number": 1}
    with pytest.raises(ConfigError) as caught:
        config(profile(podAnnotations=annotations))
    assert len(caught.value.problems) == 3


def test_numbers_are_quantities_too() -> None:
    resources = {"requests": {"cpu": 0.5}, "limits": {"cpu": 2, "memory": 4294967296}}
    after = injected(pod(), profile(resources=resources, storage={"sizeLimit": 10**10}))
    assert named(after, "dind")["resources"] == {
        "requests": {"cpu": "0.5"},
        "limits": {"cpu": "2", "memory": "4294967296"},
    }
    assert after["spec"]["volumes"][-2]["emptyDir"] == {"sizeLimit": "10000000000"}


def test_a_profiles_directory_stays_behind_when_a_pod_takes_the_other_mode() -> None:
    """The node's daemon listens where the chart put it, not where the profile's sidecar would."""
    document = {**LENIENT, **profile(socket={"directory": "/var/run"})}
    after = injected(pod(annotations={"mode": "node"}), document)
    assert named(after, "dind-wait")["args"] == ["60", "unix:///var/run/dind/docker.sock"]


def test_keys_become_attributes_in_snake_case() -> None:
    read = config(profile(mode="node", imagePullSecrets=[{"name": "pull"}]))
    assert read.profiles["default"].mode is Mode.NODE
    assert [secret.name for secret in read.profiles["default"].image_pull_secrets] == ["pull"]


@pytest.mark.parametrize("directory", ["/srv/sock", "/srv", "/srv/sock/below"])
def test_node_directories_are_clear_of_the_socket(directory: str) -> None:
    with pytest.raises(ConfigError, match="is at, below or above the socket's directory"):
        config(profile(socket={"directory": "/srv/sock"}, nodeDirectories=["/lib", directory]))


def test_all_problems_of_a_persistent_store_are_found_at_once() -> None:
    storage = {
        "medium": "Memory",
        "persistent": {"share": "trusted", "keep": "21Gi"},
        "volumeClaimTemplate": {},
    }
    with pytest.raises(ConfigError) as caught:
        config(profile(storage=storage, isolation="runtimeClass"))
    lines = str(caught.value)
    for text in (
        'persistent: not accepted with medium "Memory" (accepted: one of the two)',
        "persistent.keep: 21Gi is above sizeLimit, 20Gi, at which the store's pod is deleted",
        "isolation: runtimeClass needs a runtimeClassName",
    ):
        assert text in lines


@pytest.mark.parametrize(
    ("fields", "hidden"),
    [
        ({"storage": {"medium": "Memory", "persistent": {}}}, "storage.persistent"),
        ({"storage": {"persistent": {"keep": "21Gi"}}}, "storage.persistent.keep"),
        ({"storage": {"persistent": {}}, "isolation": "userNamespace"}, "isolation"),
    ],
    ids=str,
)
def test_stores_that_say_nothing_of_sharing_hide_no_problem(
    fields: dict[str, Any], hidden: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        config(profile(**fields))
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == [
        "profiles.default.storage.persistent.share",
        f"profiles.default.{hidden}",
    ]


def test_a_persistent_store_is_not_on_a_pvc() -> None:
    storage = {"persistent": {"share": "trusted"}, "volumeClaimTemplate": {}}
    with pytest.raises(ConfigError, match="persistent: not accepted with volumeClaimTemplate"):
        config(profile(storage=storage))


@pytest.mark.parametrize(
    ("storage", "keep", "seconds"),
    [
        ({"persistent": {"share": "trusted"}}, 10 * 2**30, 168 * 3600),
        ({"sizeLimit": 5, "persistent": {"share": "trusted", "maxAge": "2d"}}, 2, 48 * 3600),
        ({"persistent": {"share": "trusted", "keep": "20Gi", "maxAge": "1h"}}, 20 * 2**30, 3600),
    ],
)
def test_bounds_of_persistent_stores(storage: dict[str, Any], keep: int, seconds: int) -> None:
    found = config(profile(storage=storage)).profiles["default"].storage
    assert found.persistent is not None
    assert found.persistent.host_path == "/var/lib/dind-webhook"
    assert found.keep_bytes() == keep
    assert found.persistent.max_age_seconds() == seconds
    assert not found.is_on_disk_of_node()


def test_profiles_of_mode_node_may_have_persistent_stores() -> None:
    """The annotation dind.io/mode may make a sidecar of them."""
    found = config(profile(mode="node", storage={"persistent": {"share": "trusted"}}))
    assert found.profiles["default"].storage.persistent is not None
