from pathlib import Path

import pytest

from webhook.config import Config, Mode
from webhook.operator import ConfigError, load, parse, read
from webhook.operator.file import LARGEST

TOP_KEYS = "defaultProfile, profiles, policy"
DAEMON_KEYS = "registryMirrors, insecureRegistries, defaultAddressPools, mtu, extraArgs"
MTU = '"auto" or a whole number from 576 to 65535'


def fast(text: str) -> str:
    """A file with one profile, given as a flow mapping."""
    return f"profiles: {{fast: {text}}}"


def test_a_file_becomes_a_configuration() -> None:
    text = "profiles:\n  shared:\n    mode: node\n    startTimeout: 90\n"
    config = parse(text, "f.yaml")
    assert config.profiles["shared"].mode is Mode.NODE
    assert config.profiles["shared"].start_timeout == 90


def test_an_empty_mapping_keeps_every_default() -> None:
    assert parse("{}", "f.yaml") == Config()


def test_json_is_yaml() -> None:
    text = '{"profiles": {"fast": {"startTimeout": 5}}}'
    assert parse(text, "f.json").profiles["fast"].start_timeout == 5


def test_a_quantity_may_be_a_number() -> None:
    limits = parse(fast("{resources: {limits: {cpu: 2, memory: 4e9}}}"), "f.yaml")
    assert limits.profiles["fast"].resources.limits.amounts() == {
        "cpu": "2",
        "memory": "4000000000.0",
    }


def test_words_follow_yaml_1_2() -> None:
    """In YAML 1.1, `on` would be true, and no longer a name."""
    assert "on" in parse("profiles:\n  on: {}\n", "f.yaml").profiles


def test_anchors_and_merge_keys_work() -> None:
    text = "profiles:\n  a: &a {startTimeout: 5}\n  b: {<<: *a, mode: node}\n  c: *a\n"
    profiles = parse(text, "f.yaml").profiles
    assert [profiles[name].start_timeout for name in "abc"] == [5, 5, 5]
    assert profiles["b"].mode is Mode.NODE


BAD = {
    "a block scalar": (
        "profiles:\n  default:\n    image: |\n      docker:29-dind\n",
        "profiles.default.image has a line break; write it on one line, without |",
    ),
    "unknown key": (
        fast("{daemon: {foo: 1}}"),
        f"profiles.fast.daemon.foo is not a key; allowed are {DAEMON_KEYS}",
    ),
    "misspelt key": (
        "defaultProfil: fast",
        f"defaultProfil is not a key (did you mean defaultProfile?); allowed are {TOP_KEYS}",
    ),
    "key in a list": (
        fast("{daemon: {defaultAddressPools: [{base: 10.0.0.0/8, size: 24, mask: 1}]}}"),
        "profiles.fast.daemon.defaultAddressPools[0].mask is not a key; allowed are base, size",
    ),
    "missing key": (
        fast("{imagePullSecrets: [{}]}"),
        "profiles.fast.imagePullSecrets[0].name is missing; needed is text of 1 to 253 characters",
    ),
    "wrong type": (
        fast("{daemon: {mtu: 1.5}}"),
        f"profiles.fast.daemon.mtu is 1.5; allowed is {MTU}",
    ),
    "out of bounds": (
        fast("{daemon: {mtu: 100}}"),
        f"profiles.fast.daemon.mtu is 100; allowed is {MTU}",
    ),
    "a mapping for text": (
        fast("{image: {name: docker}}"),
        "profiles.fast.image is a mapping; allowed is an image reference such as docker:29-dind",
    ),
    "text for a list": (
        fast("{daemon: {registryMirrors: x}}"),
        (
            'profiles.fast.daemon.registryMirrors is "x"; '
            "allowed is a list, each item a URL such as https://mirror.example.com"
        ),
    ),
    "a boolean for text": (
        "defaultProfile: true",
        'defaultProfile is true; allowed is text, so put it in quotes: "true"',
    ),
    "text for a boolean": (
        fast("{privileged: yes}"),
        'profiles.fast.privileged is "yes"; allowed is true or false',
    ),
    "nothing for a mapping": (
        "profiles:\n  fast:\n",
        "profiles.fast is empty; allowed is a mapping, where {} keeps every default",
    ),
    "enum": (
        fast("{mode: pod}"),
        'profiles.fast.mode is "pod"; allowed is "node", "sidecar"',
    ),
    "quantity": (
        fast("{storage: {sizeLimit: 4 GB}}"),
        (
            'profiles.fast.storage.sizeLimit is "4 GB"; '
            "allowed is a Kubernetes quantity such as 500m or 4Gi"
        ),
    ),
    "quantity beyond Kubernetes": (
        fast("{storage: {sizeLimit: 99E}}"),
        "profiles.fast.storage.sizeLimit is 99E, which is larger than Kubernetes can hold",
    ),
    "flag": (
        fast("{daemon: {extraArgs: [debug]}}"),
        (
            'profiles.fast.daemon.extraArgs[0] is "debug"; '
            "allowed is a flag such as --debug or --log-level=warn"
        ),
    ),
    "profile name": (
        "profiles: {ok: {}, Fast: {}}",
        (
            'profiles has the key "Fast"; '
            "allowed is a name of lower-case letters, digits and inner hyphens, at most 63"
        ),
    ),
    "key with a dot": (
        "policy: {profiles: {team.a: default}}",
        'policy.profiles["team.a"] is "default"; allowed is a list, each item text',
    ),
    "request above limit": (
        fast("{resources: {requests: {cpu: 4}, limits: {cpu: 500m}}}"),
        "profiles.fast.resources.requests.cpu 4 is more than limits.cpu 500m",
    ),
    "unknown default profile": (
        "{defaultProfile: slow, profiles: {fast: {}}}",
        "defaultProfile is 'slow', which is not a profile (fast)",
    ),
    "unknown profile in the policy": (
        "policy: {profiles: {team-*: [slow]}}",
        "policy.profiles.team-* names 'slow', which is not a profile (default)",
    ),
    "a rule of a type": (
        fast("{privileged: false}"),
        (
            "profiles.fast.privileged: false needs a runtimeClassName (such as sysbox or kata), "
            "since dockerd does not start in an ordinary unprivileged container"
        ),
    ),
    "not YAML": (
        "profiles:\n  fast: [\n",
        (
            "line 3, column 1: while parsing a flow node, expected the node content, "
            "but found '<stream end>'"
        ),
    ),
    "duplicate key": (
        "policy: {}\nprofiles: {}\npolicy: {}\n",
        'line 3, column 1: the key "policy" is already on line 1',
    ),
    "empty": ("", "empty; a file that keeps every default is {}"),
    "comments only": ("# soon\n---\n# more\n", "empty; a file that keeps every default is {}"),
    "a list": ("- a", f"holds a list; allowed is a mapping with the keys {TOP_KEYS}"),
    "a word": ("x", f"holds a single value; allowed is a mapping with the keys {TOP_KEYS}"),
    "several documents": ("{}\n---\n{}\n", "2 YAML documents; allowed is one"),
}


@pytest.mark.parametrize(("text", "told"), BAD.values(), ids=BAD)
def test_a_bad_file_gets_a_sentence(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "f.yaml")
    assert str(caught.value) == f"f.yaml: {told}"


def test_the_profile_at_fault_is_named_among_many() -> None:
    text = "profiles: {a: {}, b: {startTimeout: 0}, c: {startTimeout: 0}, d: {}}"
    with pytest.raises(ConfigError, match=r"^f: profiles\.b\.startTimeout is 0; allowed is"):
        parse(text, "f")


def test_the_pattern_at_fault_is_named_among_many() -> None:
    text = "{profiles: {a: {}}, policy: {profiles: {x: [a], y: [a, 1], z: [2]}}}"
    with pytest.raises(ConfigError, match=r"^f: policy\.profiles\.y\[1\] is 1; allowed is text"):
        parse(text, "f")


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^f: not UTF-8 \(byte 0xff at offset 3\)$"):
        parse(b"a: \xff", "f")


@pytest.mark.parametrize("text", ["#" * (LARGEST + 1), b"#" * (LARGEST + 1)], ids=["str", "bytes"])
def test_a_file_over_the_limit_is_refused(text: str | bytes) -> None:
    with pytest.raises(ConfigError, match=r"^f: more than 1048576 bytes"):
        parse(text, "f")


def test_a_file_on_disk_is_read(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfprofiles: {fast: {}}\n")
    assert list(read(path).profiles) == ["fast", "default"]
    assert load(path) == path.read_bytes()


def test_no_more_of_a_large_file_is_read_than_shows_that_it_is(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"#" * (2 * LARGEST))
    assert len(load(path)) == LARGEST + 1


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as missing:
        read(tmp_path / "f.yaml")
    assert str(missing.value) == f"{tmp_path}/f.yaml: cannot be read: No such file or directory"
    with pytest.raises(ConfigError) as folder:
        read(tmp_path)
    assert str(folder.value) == f"{tmp_path}: cannot be read: Is a directory"
