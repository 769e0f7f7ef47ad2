"""Registries, CAs, proxies and daemon.json in the configuration file."""

import datetime as dt
import json
import ssl
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from unit.config.authorities import authority

from webhook.config import Config, ConfigError, expired_certificates, parse_config
from webhook.config.certificates import LARGEST_FILE
from webhook.config.wording import shown

NOW = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)
CA = authority("Example CA", NOW + dt.timedelta(days=1))
EXPIRED = authority("Old CA", NOW - dt.timedelta(days=1))
KEY = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"


def config(profile: dict[str, Any]) -> Config:
    return parse_config(json.dumps({"profiles": {"a": profile}}).encode(), "f")


def problems(profile: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config(profile)
    assert all(problem.startswith("profiles.a.") for problem in caught.value.problems)
    return [problem.removeprefix("profiles.a.") for problem in caught.value.problems]


def registries(**registry: Any) -> dict[str, Any]:
    return {"registries": {"registry.example": registry}}


def mirror(url: str) -> dict[str, Any]:
    return registries(mirrors=[{"url": url}])


@pytest.mark.parametrize(
    "name",
    [
        *("*", "docker.io", "registry.example.com", "registry.example.com:5000", "localhost:5000"),
        *("10.0.0.1:5000", "[fd00::1]:5000", "[fd00::1]", "localhost", "registry:5000"),
        "xn--bcher-kva.example:65535",
    ],
)
def test_a_registry_is_a_host_with_or_without_a_port(name: str) -> None:
    assert list(config({"registries": {name: {}}}).profiles["a"].registries) == [name]


ACCEPTED_HOSTS = (
    "a registry with a dot or a port (such as registry.example.com or registry.example.com:5000) "
    'or "*" for all others'
)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "**",
            "*.example.com",
            "https://a",
            "a/b",
            "A",
            "https://A.example",
            "a b",
            "a:b",
            "a\n",
            "../x",
        ),
        *("a..example", "a.-b.example", "a_b.example", "a.example.", "a.example:", "a.example:0"),
        *("registry", "10.0.0.0/8", "_default", "a" * 64 + ".example"),
    ],
)
def test_other_names_of_registries_are_rejected(name: str) -> None:
    found = problems({"registries": {name: {}}})
    assert found == [f"registries: key {shown(name)} is not {ACCEPTED_HOSTS}"]


@pytest.mark.parametrize("name", ["a.example:65536", "localhost:99999"])
def test_ports_with_which_dockerd_does_not_start_are_rejected(name: str) -> None:
    found = problems({"registries": {name: {"insecure": True}}})
    assert found == [f'registries: key "{name}" has no valid port (accepted: 1 to 65535)']


def test_brackets_hold_an_ipv6_address() -> None:
    found = problems({"registries": {"[:::::]:5000": {}}})
    assert found == ['registries: key "[:::::]:5000" is not an IPv6 address']


@pytest.mark.parametrize(
    "name",
    [
        *("index.docker.io", "registry-1.docker.io", "hub.docker.com"),
        *("docker.io:443", "registry-1.docker.io:443"),
    ],
)
def test_docker_hub_has_one_name(name: str) -> None:
    found = problems({"registries": {name: {}}})
    assert found == [f'registries: key "{name}" is Docker Hub (write "docker.io")']


@pytest.mark.parametrize("name", ["Docker.io", "REGISTRY.example:5000"])
def test_registries_are_in_lower_case(name: str) -> None:
    found = problems({"registries": {name: {}}})
    assert found == [f'registries: key "{name}" is not in lower case (write "{name.lower()}")']


def test_a_registry_twice_is_named_with_both_lines() -> None:
    text = "profiles:\n  a:\n    registries:\n      b.example: {}\n      b.example: {}\n"
    with pytest.raises(ConfigError) as caught:
        parse_config(text.encode(), "f")
    assert caught.value.problems == ['line 5, column 7: the key "b.example" is already on line 4']


@pytest.mark.parametrize(
    "url",
    [
        "https://mirror.example.com",
        "http://10.0.0.1:5000/",
        "https://artifactory.example.com/artifactory/api/docker/docker-remote",
        "https://harbor.example.com/v2/dockerhub-proxy",
        "https://[fd00::1]:5000/v2",
    ],
)
def test_mirrors_may_have_paths(url: str) -> None:
    config(mirror(url))


ACCEPTED_URL = "a URL (such as https://mirror.example.com)"
QUERY = "has a query or a fragment (accepted: a host and a path)"
BAD_MIRRORS = {
    "mirror.example.com": f'"mirror.example.com" is not {ACCEPTED_URL}',
    "ftp://mirror.example.com": f'"ftp://mirror.example.com" is not {ACCEPTED_URL}',
    "https://": f'"https://" is not {ACCEPTED_URL}',
    "https://a b": f'"https://a b" is not {ACCEPTED_URL}',
    'https://a"b': f'"https://a\\"b" is not {ACCEPTED_URL}',
    "https://a\nb": f'"https://a\\nb" is not {ACCEPTED_URL}',
    "https://a.example?ns=b": f'"https://a.example?ns=b" {QUERY}',
    "https://a.example/#b": f'"https://a.example/#b" {QUERY}',
    "https://a.example/?": f'"https://a.example/?" {QUERY}',
    "https://user:password@a.example": (
        "the URL contains a user or a password (accepted: authSecret)"
    ),
    "https://token@a.example": "the URL contains a user or a password (accepted: authSecret)",
    "https:///path": '"https:///path" has no host (such as registry.example.com)',
    "https://a.example:port": '"https://a.example:port" has no valid port (accepted: 1 to 65535)',
    "https://a.example:99999": '"https://a.example:99999" has no valid port (accepted: 1 to 65535)',
    "https://[::1": '"https://[::1" is not a valid URL',
    "https://a.example:": '"https://a.example:" has no valid port (accepted: 1 to 65535)',
    "https://a.example:0": '"https://a.example:0" has no valid port (accepted: 1 to 65535)',
    "https://*": '"https://*" has no valid host (such as registry.example.com)',
    "https://a,b": '"https://a,b" has no valid host (such as registry.example.com)',
    "https://a.example/%zz": (
        '"https://a.example/%zz" has a percent sign without two hexadecimal digits'
    ),
}


@pytest.mark.parametrize(("url", "problem"), BAD_MIRRORS.items(), ids=BAD_MIRRORS)
def test_other_urls_of_mirrors_are_rejected(url: str, problem: str) -> None:
    found = problems(mirror(url))
    assert found == [f'registries["registry.example"].mirrors[0].url: {problem}']


@pytest.mark.parametrize(
    "profile",
    [
        mirror("https://robot:^hunter/2@a.example"),
        {"daemon": {"proxy": {"https": "http://robot:$hunter2@proxy.example:3128"}}},
        {"registries": {"https://robot:hunter2@a.example": {"mirror": []}}},
    ],
    ids=["mirror", "proxy", "registry"],
)
def test_no_message_repeats_a_password(profile: dict[str, Any]) -> None:
    text = "\n".join(problems(profile))
    assert "://***@" in text
    assert "hunter" not in text


OTHER_VARIABLES = (
    *("DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS", "DOCKER_TLS_VERIFY"),
    *("DOCKER_CONTEXT", "DOCKER_API_VERSION", "LD_PRELOAD", "LD_AUDIT", "HOME", "PATH", "TMPDIR"),
    *("SSL_CERT_DIR", "HTTPS_PROXY", "no_proxy", "NODE_OPTIONS", "ENV"),
)
BAD = {
    "headers": (
        registries(headers={"Authorization": "Basic x\ny"}),
        [
            (
                'registries["registry.example"].headers: unknown key '
                "(accepted: mirrors, ca, insecure, authSecret)"
            )
        ],
    ),
    "a header of a mirror": (
        registries(mirrors=[{"url": "https://a", "header": {"X": "a\nb"}}]),
        [
            (
                'registries["registry.example"].mirrors[0].header: unknown key '
                "(accepted: url, overridePath)"
            )
        ],
    ),
    "a mirror twice": (
        registries(mirrors=[{"url": "https://a"}, {"url": "https://b"}, {"url": "https://a/"}]),
        ['registries["registry.example"].mirrors[2].url: "https://a" is already in this list'],
    ),
    "credentials without TLS": (
        registries(mirrors=[{"url": "https://a"}, {"url": "http://b"}], authSecret="s"),
        [
            (
                'registries["registry.example"].authSecret: would be sent without TLS to '
                '"http://b" (accepted: https://)'
            )
        ],
    ),
    "credentials for an insecure registry": (
        registries(insecure=True, authSecret="s"),
        [
            (
                'registries["registry.example"].authSecret: would be sent to an insecure registry '
                "(accepted: insecure: false, with ca)"
            )
        ],
    ),
    "an insecure entry with a Secret for all registries": (
        {
            "registries": {
                "*": {"insecure": True, "authSecret": "s"},
                "docker.io": {"insecure": True},
            }
        },
        [
            (
                'registries["*"].authSecret: would be sent to an insecure registry '
                "(accepted: insecure: false, with ca)"
            ),
            'registries["docker.io"].insecure: not accepted: Docker Hub has TLS',
        ],
    ),
    "all registries are insecure": (
        {"registries": {"*": {"insecure": True}, "docker.io": {"insecure": True}}},
        [
            'registries["*"].insecure: not accepted here (name each registry)',
            'registries["docker.io"].insecure: not accepted: Docker Hub has TLS',
        ],
    ),
    "one Secret for all registries": (
        {"registries": {"*": {"authSecret": "s"}}},
        ['registries["*"].authSecret: needs mirrors here: it would be sent to every registry'],
    ),
    "a CA that is not PEM": (
        registries(ca="Zm9v"),
        [
            (
                'registries["registry.example"].ca: "Zm9v" is not one or more certificates in PEM '
                "(-----BEGIN CERTIFICATE-----)"
            )
        ],
    ),
    "a CA with a private key": (
        {"caCertificates": CA + KEY},
        ["caCertificates: contains a private key (accepted: certificates in PEM)"],
    ),
    "a CA with a NUL": (
        registries(ca=f"# \0\n{CA}"),
        [
            (
                'registries["registry.example"].ca: contains a control character (accepted: '
                "certificates in PEM)"
            )
        ],
    ),
    "200 KiB of CAs": (
        registries(ca="#" * (200 * 1024 - len(CA)) + "\n" + CA[:-1]),
        [
            (
                'registries["registry.example"].ca: the certificates have 204800 bytes (accepted: '
                f"at most {LARGEST_FILE}; remove those that the image has anyway)"
            )
        ],
    ),
    "a file for jobs without content": (
        {"jobCertificates": {"file": True}},
        ["jobCertificates.file: needs caCertificates"],
    ),
    "variables for jobs without the file": (
        {"caCertificates": CA, "jobCertificates": {"environment": ["SSL_CERT_FILE"]}},
        ["jobCertificates.environment: needs file: true, the file that they name"],
    ),
    "a proxy with a password": (
        {"daemon": {"proxy": {"https": "http://user:password@proxy.example:3128"}}},
        [("daemon.proxy.https: the URL contains a user or a password, which pod specs would show")],
    ),
    "proxies with which Go programs fail": (
        {"daemon": {"proxy": {"http": "http://:3128", "https": "http://a:99999"}}},
        [
            'daemon.proxy.http: "http://:3128" has no host (such as registry.example.com)',
            'daemon.proxy.https: "http://a:99999" has no valid port (accepted: 1 to 65535)',
        ],
    ),
    "a variable that is longer than the kernel takes": (
        {"daemon": {"proxy": {"noProxy": ["a.example"] * 401}}},
        ["daemon.proxy.noProxy: has too many items (accepted: at most 400)"],
    ),
    "directories of certificates without those of caCertificates": (
        {"caCertificates": CA, "daemon": {"env": {"SSL_CERT_DIR": "/data/certs:/certs"}}},
        [
            (
                "caCertificates: dockerd does not read them with this daemon.env.SSL_CERT_DIR "
                "(accepted: a list of directories with /etc/ssl/certs)"
            )
        ],
    ),
    "names that no Secret has": (
        {"registries": {"a.io": {"authSecret": "../a"}, "b.io": {"authSecret": "a\nb"}}},
        [
            f'registries["{host}"].authSecret: {name} is not the name of a Secret (lower-case '
            "letters, digits, inner hyphens and dots)"
            for host, name in [("a.io", '"../a"'), ("b.io", '"a\\nb"')]
        ],
    ),
    "variables for jobs that hold no certificates": (
        {
            "caCertificates": CA,
            "jobCertificates": {
                "file": True,
                "environment": [*OTHER_VARIABLES, "SSL_CERT_FILE", "HTTPS_CA_FILE"],
            },
        },
        [
            f"jobCertificates.environment[{index}]: {name} does not name a file of certificates "
            "(such as SSL_CERT_FILE)"
            for index, name in enumerate(OTHER_VARIABLES)
        ],
    ),
    "more registries than a pod can carry": (
        {"registries": {f"{number}.example": {} for number in range(101)}},
        ["registries: has too many items (accepted: at most 100)"],
    ),
    "a proxy without a scheme": (
        {"daemon": {"proxy": {"http": "proxy.example:3128"}}},
        [
            (
                'daemon.proxy.http: "proxy.example:3128" is not the URL of a proxy (such as '
                "http://proxy.example.com:3128)"
            )
        ],
    ),
    "a comma in noProxy": (
        {"daemon": {"proxy": {"noProxy": ["a,b"]}}},
        [
            (
                'daemon.proxy.noProxy[0]: "a,b" is not a host, a domain, an address or a network '
                "(such as .example.com or 10.0.0.0/8)"
            )
        ],
    ),
    "variables that the sidecar sets": (
        {
            "daemon": {
                "proxy": {"http": "http://a"},
                "env": {"DIND_FILE_0": "x", "http_proxy": "http://b", "GODEBUG": "x=1"},
            }
        },
        [
            "daemon.env.DIND_FILE_0: names that begin with DIND_ are the sidecar's; remove it",
            "daemon.env.http_proxy: is set by daemon.proxy; remove it here or there",
        ],
    ),
    "a variable with a newline": (
        {"daemon": {"env": {"A": "b\nc"}}},
        [
            (
                'daemon.env.A: "b\\nc" is not a string of at most 4096 characters without control '
                "characters"
            )
        ],
    ),
    "daemon.json against our flags": (
        {
            "daemon": {
                "config": {"hosts": [], "mtu": 1400, "exec-root": "/x", "debug": True},
                "extraArgs": ["--debug", "--log-opt=max-size=1m"],
            }
        },
        [
            "daemon.config.hosts: is a setting of the sidecar (accepted: socket.directory)",
            "daemon.config.mtu: is a setting of the sidecar (accepted: daemon.mtu)",
            "daemon.config.exec-root: is a setting of the sidecar; remove it",
            "daemon.config.debug: is also set by daemon.extraArgs, with --debug; remove one",
        ],
    ),
    "daemon.json that dockerd does not read": (
        {"daemon": {"config": {"debug": True}, "extraArgs": ["--config-file=/x.json", "--debug"]}},
        [
            (
                "daemon.config: dockerd would not read it with --config-file in daemon.extraArgs; "
                "remove one"
            ),
            "daemon.config.debug: is also set by daemon.extraArgs, with --debug; remove one",
        ],
    ),
    "daemon.json larger than the kernel takes": (
        {"daemon": {"config": {"labels": ["x" * LARGEST_FILE]}}},
        [f"daemon.config: {LARGEST_FILE + 29} bytes of JSON (accepted: at most {LARGEST_FILE})"],
    ),
    "mode node": (
        {
            "mode": "node",
            "registries": {"*": {}},
            "caCertificates": CA,
            "jobCertificates": {"file": True},
            "registryCredentials": {"secretName": "registry"},
            "daemon": {
                "proxy": {"http": "http://a"},
                "env": {"A": "b"},
                "config": {"debug": True},
                "metrics": {},
            },
        },
        [
            f"{key}: not accepted in mode node (accepted for the node's daemon: the chart value "
            f"{value})"
            for key, value in [
                ("daemon.proxy", "node.env"),
                ("daemon.env", "node.env"),
                ("daemon.config", "node.files"),
                ("daemon.metrics", "node.extraArgs with --metrics-addr"),
                ("registries", "node.files"),
                ("caCertificates", "node.files"),
            ]
        ]
        + [
            f"{key}: not accepted in mode node, which has no sidecar to write the files"
            for key in ("jobCertificates", "registryCredentials")
        ],
    ),
    "certificates for jobs in mode node, without certificates": (
        {"mode": "node", "jobCertificates": {"file": True}},
        ["jobCertificates: not accepted in mode node, which has no sidecar to write the files"],
    ),
}


@pytest.mark.parametrize(("profile", "expected"), BAD.values(), ids=BAD)
def test_settings_that_would_not_work_are_rejected(
    profile: dict[str, Any], expected: list[str]
) -> None:
    assert problems(profile) == expected


@pytest.mark.parametrize(
    ("flag", "key"),
    [
        ("--debug", "debug"),
        ("--log-opt=a=b", "log-opts"),
        ("--label=a=b", "labels"),
        ("--add-runtime=a=b", "runtimes"),
        ("--default-ulimit=nofile=1", "default-ulimits"),
        ("--dns-search=a", "dns-search"),
        ("--feature=a", "features"),
        ("--node-generic-resource=a=b", "node-generic-resources"),
        ("--dns=10.0.0.1", "dns"),
    ],
)
def test_a_flag_and_its_key_in_daemon_json_contradict_each_other(flag: str, key: str) -> None:
    (problem,) = problems({"daemon": {"extraArgs": [flag], "config": {key: 1}}})
    name = flag.partition("=")[0]
    assert (
        problem == f"daemon.config.{key}: is also set by daemon.extraArgs, with {name}; remove one"
    )


def test_bad_registries_hide_no_problem_elsewhere() -> None:
    found = problems(
        {
            "registries": {
                "A": {},
                "b.example": {"ca": "x", "mirrors": [{"url": "x"}], "insecure": 1},
                "c.example": {"mirror": [], "authSecret": ""},
            },
            "caCertificates": "y",
            "jobCertificates": {"environment": ["A-B"]},
            "daemon": {"proxy": {"http": "x"}, "env": {"A B": ""}, "config": [], "mtu": 1},
        }
    )
    assert [problem.partition(": ")[0] for problem in found] == [
        'registries["c.example"].mirror',
        "daemon.mtu",
        "daemon.proxy.http",
        "daemon.env",
        "daemon.config",
        "registries",
        'registries["b.example"].mirrors[0].url',
        'registries["b.example"].ca',
        'registries["b.example"].insecure',
        'registries["c.example"].authSecret',
        "caCertificates",
        "jobCertificates.environment[0]",
    ]


def test_a_bad_name_of_a_registry_hides_no_rule_about_others() -> None:
    insecure = {"insecure": True}
    found = problems({"registries": {"A": {}, "*": insecure, "docker.io": insecure}, "image": 1})
    assert [problem.partition(": ")[0] for problem in found] == [
        "image",
        "registries",
        'registries["*"].insecure',
        'registries["docker.io"].insecure',
    ]


def test_a_misspelt_default_profile_does_not_make_the_built_in_one_unknown() -> None:
    content = {"defaultProfile": "defualt", "policy": {"profiles": {"a": ["default"]}}}
    with pytest.raises(ConfigError) as caught:
        parse_config(json.dumps(content).encode(), "f")
    assert caught.value.problems == ['defaultProfile: unknown profile "defualt" (profiles: none)']


def test_an_expired_ca_is_valid_and_named_once() -> None:
    profile = {
        "registries": {
            "registry.example": {"ca": CA + EXPIRED + EXPIRED},
            "b.example": {"ca": CA},
        },
        "caCertificates": EXPIRED,
    }
    sentence = 'the certificate "CN=Old CA" expired on 2026-11-27'
    assert expired_certificates(config(profile), NOW) == [
        f'profiles.a.registries["registry.example"].ca: {sentence}',
        f"profiles.a.caCertificates: {sentence}",
    ]


BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
SKIPPED_LINE = (
    "is not base64: dockerd or other programs would skip the certificate (accepted between "
    f"{BEGIN} and {END}: no headers, indentation or empty lines)"
)
SKIPPED_MARKER = "dockerd would skip the certificate (accepted: this line without other text)"
FIRST_LINE = CA.splitlines()[1]
SKIPPED_PEM = {
    "a header": (
        CA.replace(BEGIN, f"{BEGIN}\nProc-Type: 4,CLEAR\n"),
        f'line 2, "Proc-Type: 4,CLEAR", {SKIPPED_LINE}',
    ),
    "an empty line": (CA.replace(BEGIN, f"{BEGIN}\n"), f'line 2, "", {SKIPPED_LINE}'),
    "indentation of the content": (
        CA.replace(FIRST_LINE, f"  {FIRST_LINE}"),
        f"line 2, {shown('  ' + FIRST_LINE)}, {SKIPPED_LINE}",
    ),
    "indentation": (
        f"# CA\n  {CA}",
        f'line 2, "  {BEGIN}", is not {BEGIN}: {SKIPPED_MARKER}',
    ),
    "a byte order mark": (
        f"\ufeff{CA}",
        f'line 1, "\\ufeff{BEGIN}", is not {BEGIN}: {SKIPPED_MARKER}',
    ),
    "text after the first line": (
        CA.replace(BEGIN, f"{BEGIN} # CA"),
        f'line 1, "{BEGIN} # CA", is not {BEGIN}: {SKIPPED_MARKER}',
    ),
    "a second certificate in the last line": (
        f"{CA[:-1]}{BEGIN}",
        f'line {len(CA.splitlines())}, "{END}{BEGIN}", is not {END}: {SKIPPED_MARKER}',
    ),
    "no last line": (CA.replace(END, ""), f"the certificate in line 1 has no {END}"),
    "no first line": (
        CA.replace(BEGIN, ""),
        f'line {len(CA.splitlines())}, "{END}", is not {BEGIN}: {SKIPPED_MARKER}',
    ),
    **{
        f"the type {kind}": (
            CA + CA.replace("CERTIFICATE", kind),
            (
                f'line {len(CA.splitlines()) + 1}, "-----BEGIN {kind}-----", is not {BEGIN}: '
                f"{SKIPPED_MARKER}"
            ),
        )
        for kind in ("TRUSTED CERTIFICATE", "X509 CERTIFICATE", "X509 CRL", "PKCS7")
    },
}


@pytest.mark.parametrize(("pem", "problem"), SKIPPED_PEM.values(), ids=SKIPPED_PEM)
def test_pem_that_go_would_skip_is_rejected(pem: str, problem: str) -> None:
    assert problems({"caCertificates": pem}) == [f"caCertificates: {problem}"]


@pytest.mark.parametrize(
    "pem",
    [CA.replace("\n", "\r\n"), CA.replace("\n", " \t\n"), CA[:-1], f"# ---\nA: b\n{CA}\n\n{CA}c"],
    ids=["CRLF", "spaces at the ends", "no last newline", "comments"],
)
def test_pem_that_go_reads_is_accepted(pem: str) -> None:
    assert config({"caCertificates": pem}).profiles["a"].ca_certificates == pem


def skipped_certificate(line: int) -> str:
    return (
        f"caCertificates: dockerd would skip the certificate in line {line}, which is not valid "
        "(accepted: X.509 with an RSA key, an Ed25519 key or a NIST curve)"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\x0c\x05Space", b"\x13\x05Sp\xffce"),
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x09"),
        (b"\x03\x01\x01\xff", b"\x03\x01\x02\xff"),
    ],
    ids=["subject", "version", "basic constraints"],
)
def test_a_certificate_that_go_would_skip_is_rejected(old: bytes, new: bytes) -> None:
    der = ssl.PEM_cert_to_DER_cert(authority("Space", NOW))
    assert old in der
    pem = ssl.DER_cert_to_PEM_cert(der.replace(old, new))
    assert problems({"caCertificates": pem}) == [skipped_certificate(1)]


def test_a_certificate_with_a_key_that_go_does_not_know_is_rejected() -> None:
    pem = authority("Curve", NOW, ec.SECP256K1())
    found = problems({"caCertificates": CA + pem})
    assert found == [skipped_certificate(len(CA.splitlines()) + 1)]


def test_cas_that_are_valid_are_not_named() -> None:
    profile = {"registries": {"*": {"ca": CA}}, "caCertificates": CA}
    assert expired_certificates(config(profile), NOW) == []
