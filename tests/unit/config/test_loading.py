"""The configuration file: what comes in as YAML, and every problem of what is wrong with it."""

import json
from pathlib import Path

import pytest
from unit.config.files import FIVE_ERRORS

from webhook.config import Config, ConfigError, Mode, parse_config, read_config_file
from webhook.config.loading import BOUNDS, LARGEST, MOST_PROBLEMS


def parsed(text: str) -> Config:
    return parse_config(text.encode(), "f.yaml")


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text if isinstance(text, bytes) else text.encode(), "f.yaml")
    assert str(caught.value).splitlines() == [
        f"f.yaml: {problem}" for problem in caught.value.problems
    ]
    return caught.value.problems


def fast(text: str) -> str:
    """A file with one profile, given as a flow mapping."""
    return f"profiles: {{fast: {text}}}"


def test_a_file_becomes_a_configuration() -> None:
    config = parsed("profiles:\n  shared:\n    mode: node\n    startTimeout: 90\n")
    assert config.profiles["shared"].mode is Mode.NODE
    assert config.profiles["shared"].start_timeout == 90


def test_an_empty_mapping_keeps_every_default() -> None:
    assert parsed("{}") == Config()


def test_the_version_may_be_given() -> None:
    assert parsed("apiVersion: dind.io/v1alpha1") == Config()


def test_json_is_yaml() -> None:
    text = '{"profiles": {"fast": {"startTimeout": 5}}}'
    assert parsed(text).profiles["fast"].start_timeout == 5


@pytest.mark.parametrize("text", ['"\\U0001f600"', "\U0001f600"])
def test_characters_beyond_the_basic_plane_are_read(text: str) -> None:
    assert list(parsed(f"policy: {{profiles: {{{text}: []}}}}").policy.profiles) == ["\U0001f600"]


def test_a_quantity_may_be_a_number() -> None:
    limits = parsed(fast("{resources: {limits: {cpu: 2, memory: 4e9}}}"))
    assert limits.profiles["fast"].resources.limits.amounts() == {
        "cpu": "2",
        "memory": "4000000000.0",
    }


def test_words_follow_yaml_1_2() -> None:
    """In YAML 1.1, `on` would be true, and no longer a name."""
    assert "on" in parsed("profiles:\n  on: {}\n").profiles


def test_keys_that_look_like_numbers_are_names() -> None:
    assert "1" in parsed("profiles: {1: {}}").profiles


BAD = {
    "a block scalar": (
        "profiles:\n  default:\n    image: |\n      docker:29-dind\n",
        (
            'profiles.default.image: "docker:29-dind\\n" is not an image reference (such as '
            "docker:29-dind)"
        ),
    ),
    "unknown key": (
        fast("{daemon: {foo: 1}}"),
        (
            "profiles.fast.daemon.foo: unknown key (accepted: defaultAddressPools, mtu, extraArgs, "
            "proxy, env, config, metrics)"
        ),
    ),
    "misspelt key": (
        "defaultProfil: default",
        (
            'defaultProfil: unknown key, did you mean "defaultProfile"? (accepted: apiVersion, '
            "defaultProfile, profiles, policy)"
        ),
    ),
    "key in a list": (
        fast("{daemon: {defaultAddressPools: [{base: 10.0.0.0/8, size: 24, mask: 1}]}}"),
        "profiles.fast.daemon.defaultAddressPools[0].mask: unknown key (accepted: base, size)",
    ),
    "missing key": (
        fast("{imagePullSecrets: [{}]}"),
        (
            "profiles.fast.imagePullSecrets[0].name: required field is missing (accepted: the name "
            "of a Secret (lower-case letters, digits, inner hyphens and dots))"
        ),
    ),
    "missing key beside one that is not close to it": (
        fast("{imagePullSecrets: [{secret: ci}]}"),
        (
            'profiles.fast.imagePullSecrets[0].secret: unknown key, did you mean "name"? '
            "(accepted: name)"
        ),
    ),
    "missing key in a mapping that may be absent": (
        fast("{registryCredentials: {}}"),
        (
            "profiles.fast.registryCredentials.secretName: required field is missing (accepted: "
            "the name of a Secret (lower-case letters, digits, inner hyphens and dots))"
        ),
    ),
    "unknown key in a mapping that may be absent": (
        fast("{registryCredentials: {secretName: ci, container: [build]}}"),
        (
            'profiles.fast.registryCredentials.container: unknown key, did you mean "containers"? '
            "(accepted: secretName, containers)"
        ),
    ),
    "credentials for all containers": (
        fast('{registryCredentials: {secretName: ci, containers: ["*"]}}'),
        (
            'profiles.fast.registryCredentials.containers[0]: "*" is not a name of at most 63 '
            "lower-case letters, digits and inner hyphens"
        ),
    ),
    "credentials that no container can get": (
        fast("{registryCredentials: {secretName: ci}}") + "\npolicy: {annotations: [profile]}",
        (
            'policy.annotations: without containers, no pod of profile "fast" can get its '
            "registryCredentials, which name no containers either"
        ),
    ),
    "wrong type": (
        fast("{daemon: {mtu: 1.5}}"),
        'profiles.fast.daemon.mtu: 1.5 is not "auto" or a whole number from 576 to 65535',
    ),
    "out of bounds": (
        fast("{daemon: {mtu: 100}}"),
        'profiles.fast.daemon.mtu: 100 is not "auto" or a whole number from 576 to 65535',
    ),
    "a mapping for text": (
        fast("{image: {name: docker}}"),
        "profiles.fast.image: a mapping is not an image reference (such as docker:29-dind)",
    ),
    "text for a list": (
        fast("{daemon: {extraArgs: x}}"),
        'profiles.fast.daemon.extraArgs: "x" is not a list',
    ),
    "a boolean for text": (
        "defaultProfile: true",
        'defaultProfile: true is not a string (in quotes it is: "true")',
    ),
    "text for a boolean": (
        fast("{mirrorMounts: yes}"),
        'profiles.fast.mirrorMounts: "yes" is not true or false',
    ),
    "a number in quotes": (
        fast("{startTimeout: '60'}"),
        (
            'profiles.fast.startTimeout: "60" is not a whole number from 1 to 600 (write it '
            "without quotes)"
        ),
    ),
    "a boolean in quotes": (
        fast("{mirrorMounts: 'true'}"),
        'profiles.fast.mirrorMounts: "true" is not true or false (write it without quotes)',
    ),
    "a number for a variable": (
        fast("{daemon: {env: {A: 1}}}"),
        (
            "profiles.fast.daemon.env.A: 1 is not a string of at most 4096 characters without "
            'control characters (in quotes it is: "1")'
        ),
    ),
    "text for a mapping": (
        fast("{registries: {docker.io: 'https://mirror.example'}}"),
        (
            'profiles.fast.registries["docker.io"]: "https://mirror.example" is not a mapping '
            "(keys: mirrors, ca, insecure, authSecret)"
        ),
    ),
    "nothing for a mapping with a key that is required": (
        fast("{imagePullSecrets: [null]}"),
        "profiles.fast.imagePullSecrets[0]: null is not a mapping (keys: name)",
    ),
    "nothing for a mapping of names": (
        fast("{registries: }"),
        "profiles.fast.registries: null is not a mapping ({} is an empty one)",
    ),
    "nothing for a list": (
        fast("{nodeDirectories: }"),
        "profiles.fast.nodeDirectories: null is not a list ([] is an empty one)",
    ),
    "a tab": (
        "profiles:\n\tfast: {}\n",
        "line 2, column 1: a tab (accepted: spaces)",
    ),
    "a tab behind spaces": (
        "profiles:\n  fast:\n  \tmode: node\n",
        "line 3, column 3: a tab (accepted: spaces)",
    ),
    "another character that begins no value": (
        "profiles: @\n",
        (
            "line 1, column 11: while scanning for the next token, found character that cannot "
            "start any token"
        ),
    ),
    "nothing for a mapping": (
        "profiles:\n  fast:\n",
        "profiles.fast: null is not a mapping ({} keeps every default)",
    ),
    "enum": (fast("{mode: pod}"), 'profiles.fast.mode: "pod" is not "sidecar" or "node"'),
    "quantity": (
        fast("{resources: {limits: {cpu: two}}}"),
        (
            'profiles.fast.resources.limits.cpu: "two" is not a Kubernetes quantity (such as '
            "500m, 2 or 4Gi)"
        ),
    ),
    "bytes": (
        fast("{storage: {sizeLimit: 4 GB}}"),
        (
            'profiles.fast.storage.sizeLimit: "4 GB" is not a quantity of bytes (such as 512Mi '
            "or 4Gi)"
        ),
    ),
    "thousandths of a byte": (
        fast("{resources: {limits: {memory: 512m}}}"),
        (
            'profiles.fast.resources.limits.memory: "512m" is not a quantity of bytes (such as '
            "512Mi or 4Gi)"
        ),
    ),
    "quantity beyond Kubernetes": (
        fast("{storage: {sizeLimit: 99E}}"),
        'profiles.fast.storage.sizeLimit: "99E" is larger than Kubernetes can hold',
    ),
    "flag": (
        fast("{daemon: {extraArgs: [debug]}}"),
        (
            'profiles.fast.daemon.extraArgs[0]: "debug" is not a flag (such as --debug or '
            "--log-level=warn)"
        ),
    ),
    "profile name": (
        "profiles: {ok: {}, Fast: {}}",
        (
            'profiles: key "Fast" is not a name of at most 63 lower-case letters, digits and '
            "inner hyphens"
        ),
    ),
    "key in brackets": (
        'policy: {profiles: {"[key]": 5}}',
        'policy.profiles["[key]"]: 5 is not a list',
    ),
    "key with a dot": (
        "policy: {profiles: {team.a: default}}",
        'policy.profiles["team.a"]: "default" is not a list',
    ),
    "request above limit": (
        fast("{resources: {requests: {cpu: 4}, limits: {cpu: 500m}}}"),
        "profiles.fast.resources.limits.cpu: 500m is below requests.cpu, 4",
    ),
    "unknown default profile": (
        "{defaultProfile: slow, profiles: {fast: {}}}",
        'defaultProfile: unknown profile "slow" (profiles: fast)',
    ),
    "unknown profile in the policy": (
        "policy: {profiles: {team-*: [slow]}}",
        'policy.profiles["team-*"][0]: unknown profile "slow" (profiles: default)',
    ),
    "a rule of a type": (
        fast("{isolation: runtimeClass}"),
        "profiles.fast.isolation: runtimeClass needs a runtimeClassName (such as sysbox or kata)",
    ),
    "not YAML": (
        "profiles:\n  fast: [\n",
        "line 3, column 1: while parsing a flow node, did not find expected node content",
    ),
    "duplicate key": (
        "policy: {}\nprofiles: {}\npolicy: {}\n",
        'line 3, column 1: the key "policy" is already on line 1',
    ),
    "empty": ("", "empty file (accepted: {} keeps every default)"),
    "comments only": ("# soon\n---\n# more\n", "empty file (accepted: {} keeps every default)"),
    "a list": (
        "- a",
        "top level: a list is not a mapping (keys: apiVersion, defaultProfile, profiles, policy)",
    ),
    "a word": (
        "x",
        'top level: "x" is not a mapping (keys: apiVersion, defaultProfile, profiles, policy)',
    ),
    "several documents": (
        "{}\n---\n{}\n",
        "line 2, column 1: another YAML document (accepted: one)",
    ),
    "unknown version": (
        "apiVersion: dind.io/v2",
        'apiVersion: "dind.io/v2" is not a supported version (supported: dind.io/v1alpha1)',
    ),
    "snake case": (
        fast("{start_timeout: 5}"),
        (
            'profiles.fast.start_timeout: unknown key, did you mean "startTimeout"? (accepted: '
            "mode, image, imagePullSecrets, resources, storage, daemon, registries, "
            "caCertificates, jobCertificates, socket, startTimeout, waitResources, mirrorMounts, "
            "mirrorCSIDrivers, runtimeClassName, isolation, seccompProfile, nodeDirectories, "
            "placement, registryCredentials, podAnnotations)"
        ),
    ),
    "an anchor": (
        "profiles:\n  a: &a {}\n",
        "line 2, column 6: anchors and aliases are not accepted (repeat the value)",
    ),
    "an alias": (
        "profiles:\n  a: *a\n",
        "line 2, column 6: anchors and aliases are not accepted (repeat the value)",
    ),
    "a tag": (
        "defaultProfile: !!binary aGk=",
        "line 1, column 17: tags are not accepted (quote a string that begins with !)",
    ),
    "a key that is no string": ("? [a]\n: b", "line 1, column 3: a key that is not a string"),
    "a list in a key": ("? - [a]\n? [a]\n", "line 1, column 3: a key that is not a string"),
    "a block scalar without text": (
        "defaultProfile: |\n  \u2028  \u2028",
        'defaultProfile: unknown profile "" (profiles: none)',
    ),
    "a key that is a mapping": (
        "? {a: b}\n: c",
        "line 1, column 3: a key that is not a string",
    ),
    "control character": (
        "ab: \x07",
        "line 1, column 5: the character '\\x07' is not allowed",
    ),
    "a surrogate": (
        '{"profiles": {"\\ud83d": {}}}',
        (
            "line 1, column 18: while parsing a quoted scalar, found invalid Unicode character "
            "escape code"
        ),
    ),
    "a number of twenty digits": (
        fast("{startTimeout: 99999999999999999999}"),
        "profiles.fast.startTimeout: 99999999999999999999 is not a whole number from 1 to 600",
    ),
    "infinity": (
        "policy: {maximum: {cpu: .inf}}",
        "line 1, column 25: .inf is not a number that JSON can hold",
    ),
    "nested too deep": (
        "[" * 21 + "]" * 21,
        "line 1, column 21: nested too deep (accepted: at most 20 levels)",
    ),
    "a date that is none": (
        "defaultProfile: 2026-13-45",
        'defaultProfile: unknown profile "2026-13-45" (profiles: none)',
    ),
}


@pytest.mark.parametrize(("text", "expected"), BAD.values(), ids=BAD)
def test_a_bad_file_gets_a_line(text: str, expected: str) -> None:
    assert problems(text) == [expected]


def test_five_errors_of_five_kinds_get_five_lines() -> None:
    assert problems(json.dumps(FIVE_ERRORS)) == [
        (
            'profiles.large.mirrorMount: unknown key, did you mean "mirrorMounts"? (accepted: '
            "mode, image, imagePullSecrets, resources, storage, daemon, registries, "
            "caCertificates, jobCertificates, socket, startTimeout, waitResources, mirrorMounts, "
            "mirrorCSIDrivers, runtimeClassName, isolation, seccompProfile, nodeDirectories, "
            "placement, registryCredentials, podAnnotations)"
        ),
        'profiles.large.mode: "pod" is not "sidecar" or "node"',
        (
            'profiles.large.storage.sizeLimit: "12Q" is not a quantity of bytes (such as 512Mi '
            "or 4Gi)"
        ),
        (
            'profiles.large.daemon.mtu: "1500" is not "auto" or a whole number from 576 to 65535 '
            "(write it without quotes)"
        ),
        "profiles.large.startTimeout: 900 is not a whole number from 1 to 600",
    ]


@pytest.mark.parametrize(("key", "path"), [("~", '["~"]'), ("1.5", '["1.5"]'), ("true", ".true")])
def test_unknown_profiles_of_keys_that_are_no_strings_are_named(key: str, path: str) -> None:
    assert problems(f"policy: {{profiles: {{{key}: [nope]}}}}") == [
        f'policy.profiles{path}[0]: unknown profile "nope" (profiles: default)'
    ]


def test_a_bad_key_hides_no_contradiction_elsewhere() -> None:
    text = """
    defaultProfile: slow
    profiles:
      a: {startTimeout: 0}
      b: {isolation: runtimeClass, image: "docker 29", socket: {gid: 0, directory: /var}}
      c:
        mode: node
        socket: {directory: /run}
        resources: {limits: {memory: 1Mi}, request: {memory: 2Mi}}
      d: {daemon: {mtu: 1, defaultAddressPools: [{base: 10.0.0.0/8, size: 4, mask: 1}]}}
    policy:
      annotation: []
      profiles: {"*": [a, e]}
    """
    assert [problem.partition(": ")[0] for problem in problems(text)] == [
        "profiles.c.resources.request",
        "profiles.d.daemon.defaultAddressPools[0].mask",
        "policy.annotation",
        "profiles.a.startTimeout",
        "profiles.b.image",
        "profiles.b.socket.directory",
        "profiles.b.socket.gid",
        "profiles.b.isolation",
        "profiles.c.resources.limits.memory",
        "profiles.c.socket.directory",
        "profiles.d.daemon.defaultAddressPools[0].size",
        "profiles.d.daemon.mtu",
        "defaultProfile",
        'policy.profiles["*"][1]',
    ]


def test_bytes_that_are_not_utf_8_are_rejected() -> None:
    assert problems(b"a: \xff") == ["not UTF-8 (byte 0xff at offset 3)"]


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse_config(b"\xef\xbb\xbf{}", "f.yaml") == Config()


def bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join(lines)


BOMBS = {
    "ten megabytes": ("#" * 10_000_000, "more than 262144 bytes"),
    "aliases": (bomb(), "anchors and aliases are not accepted"),
    "keys": ("\n".join(f"{n}: " for n in range(30_000)), f"at most {BOUNDS.values}"),
    "lists in lists": ("[" * LARGEST, "nested too deep"),
    "mappings in mappings": ("a: " + "{a: " * 50_000, "nested too deep"),
    "documents": ("---\n" * 60_000, "another YAML document"),
    "a number": ("a: " + "9" * (LARGEST - 3), "is not a number"),
}


@pytest.mark.parametrize(("text", "expected"), BOMBS.values(), ids=BOMBS)
def test_expensive_configuration_files_are_rejected(text: str, expected: str) -> None:
    (problem,) = problems(text)
    assert expected in problem
    assert len(problem) < 200


def test_a_file_of_a_thousand_problems_gets_the_first_of_them() -> None:
    found = problems("\n".join(f"key{n}: 1" for n in range(1000)))
    assert len(found) == MOST_PROBLEMS + 1
    assert found[-1] == "950 more problems"


def test_a_long_value_is_cut() -> None:
    (found,) = problems(fast(f"{{image: {'x' * 100_000}!}}"))
    assert len(found) < 200


def test_no_more_of_a_large_file_is_read_than_shows_that_it_is(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"#" * (2 * LARGEST))
    assert len(read_config_file(path)) == LARGEST + 1


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as missing:
        read_config_file(tmp_path / "f.yaml")
    assert str(missing.value) == f"{tmp_path}/f.yaml: cannot be read: No such file or directory"
    with pytest.raises(ConfigError) as directory:
        read_config_file(tmp_path)
    assert str(directory.value) == f"{tmp_path}: cannot be read: Is a directory"
