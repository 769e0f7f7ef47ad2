"""What is parsed from objects that any program may have written."""

from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.certs.malformed import as_pem, der_of, unusable_ca_secrets
from unit.certs.stored import WRITTEN, managed_fields, secret, webhook_configuration

from certs.certificates import certificates_in
from certs.issuing import issue_ca, issue_serving_certificate
from certs.model import (
    AddCA,
    CABundle,
    IssueServingCertificate,
    PublishCABundle,
    Replica,
    RotationPolicy,
    State,
    StoreCAs,
    StoredCA,
    StoredServingCertificate,
    Unusable,
    WebhookConfiguration,
    ca_bundle_of,
    trusted_cas,
)
from certs.objects import (
    CA_SECRET_TYPES,
    TLS_SECRET_TYPES,
    ca_secret_data,
    data_to_write,
    decoded_data,
    parse_ca_bundle,
    parse_ca_secret,
    parse_handshake,
    parse_tls_secret,
    parse_webhook_configuration,
    ready_pods,
    write_obstacle,
    written_at,
)
from certs.plan import plan
from webhook.cluster.probe import Address, Handshake

NOW = WRITTEN
CHANGED = "2026-01-02T00:00:00Z"
POLICY = RotationPolicy(("hook",))
OLD, NEW = (issue_ca(NOW) for _ in range(2))
STORED = tuple(StoredCA(certificates_in(ca.pem)[0], ca.key) for ca in (OLD, NEW))
SERVING = issue_serving_certificate(OLD, NOW, dns_names=["hook"])
TLS = {"tls.crt": SERVING.pem, "tls.key": SERVING.key, "ca.crt": OLD.pem}
MALFORMED = unusable_ca_secrets(NOW)


def cas_in(data: dict[str, bytes]) -> tuple[StoredCA, ...]:
    return parse_ca_secret(secret(data)).cas


# The CA Secret


def test_cas_are_parsed_as_they_were_written() -> None:
    assert parse_ca_secret(secret(ca_secret_data(STORED))).cas == STORED
    assert parse_ca_secret(secret(ca_secret_data(STORED))).problems == ()


def test_the_largest_number_is_the_newest_ca() -> None:
    data = {"10.crt": NEW.pem, "10.key": NEW.key, "9.crt": OLD.pem, "9.key": OLD.key}
    assert cas_in(data) == STORED


def test_a_ca_that_is_stored_twice_counts_once() -> None:
    data = ca_secret_data(STORED) | {"3.crt": OLD.pem, "3.key": OLD.key}
    assert cas_in(data) == (STORED[1], STORED[0])


@pytest.mark.parametrize(
    ("damage", "left", "problem"),
    [
        (
            {"1.key": b"damaged"},
            (StoredCA(STORED[0].certificate), STORED[1]),
            "1.crt has no readable, unencrypted private key; it is trusted, but signs nothing",
        ),
        (
            {"1.key": NEW.key},
            (StoredCA(STORED[0].certificate), STORED[1]),
            (
                "1.crt has a private key that belongs to another certificate; it is trusted, but "
                "signs nothing"
            ),
        ),
        (
            {"1.crt": b"damaged"},
            STORED[1:],
            "1.crt holds 0 PEM certificates, expected one; it is ignored",
        ),
        (
            {"1.crt": OLD.pem + NEW.pem},
            STORED[1:],
            "1.crt holds 2 PEM certificates, expected one; it is ignored",
        ),
        (
            {"1.crt": SERVING.pem, "1.key": SERVING.key},
            STORED[1:],
            "1.crt is not a CA certificate; it is ignored",
        ),
    ],
    ids=["damaged key", "key of another CA", "damaged", "two certificates", "not a CA"],
)
def test_an_unusable_ca_is_reported(
    damage: dict[str, bytes], left: tuple[StoredCA, ...], problem: str
) -> None:
    parsed = parse_ca_secret(secret(ca_secret_data(STORED) | damage))
    assert parsed.cas == left
    assert parsed.problems == (problem,)


def test_other_keys_of_the_ca_secret_are_ignored() -> None:
    data = ca_secret_data(STORED) | {"note": b"", "x.crt": OLD.pem, "-1.crt": OLD.pem}
    assert cas_in(data) == STORED


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_ca_is_replaced(data: dict[str, bytes]) -> None:
    """The plan goes from any content of the CA Secret to a new CA that signs."""
    parsed = parse_ca_secret(secret(data))
    assert [ca.key for ca in parsed.cas if ca.certificate.not_valid_after_utc > NOW] in ([], [None])
    published = WebhookConfiguration({"pod": parse_ca_bundle(ca_bundle_of(parsed.cas))}, WRITTEN)
    state = State(parsed.cas, Unusable("is missing"), published, (), parsed.problems)

    actions = _actions_until_wait(state)

    assert "AddCA" in actions
    assert actions[-1] == "Wait"


# Replaced without a problem: no CA at all, or one that dind-certs itself could have left behind.
UNREPORTED = {
    "no key",
    "no data",
    "key alone",
    "other names of keys",
    "number with a zero",
    "expired",
}


@pytest.mark.parametrize("name", sorted(MALFORMED.keys() - UNREPORTED))
def test_a_malformed_ca_is_reported(name: str) -> None:
    (problem,) = parse_ca_secret(secret(MALFORMED[name])).problems
    assert problem.startswith("1.crt ")
    assert "PRIVATE" not in problem


def _actions_until_wait(state: State) -> list[str]:
    """Apply what the plan asks for to what is stored."""
    done: list[str] = []
    cas, serving, webhooks = state.cas, state.serving, state.webhooks
    for _ in range(8):
        action = plan(NOW, State(cas, serving, webhooks, ()), POLICY)
        done.append(type(action).__name__)
        match action:
            case AddCA() | StoreCAs():
                cas = parse_ca_secret(secret(data_to_write(action, NOW, POLICY))).cas
            case IssueServingCertificate():
                serving = parse_tls_secret(secret(data_to_write(action, NOW, POLICY)))
            case PublishCABundle(pem):
                ca_bundle = parse_ca_bundle(pem)
                webhooks = WebhookConfiguration({"pod": ca_bundle}, NOW - timedelta(hours=1))
            case _:
                return done
    raise AssertionError(f"the plan does not end: {done}")


def test_a_ca_secret_with_thousands_of_cas_is_bounded() -> None:
    data = {f"{number}.crt": b"" for number in range(5000)} | ca_secret_data(STORED)
    data["9999.crt"], data["9999.key"] = NEW.pem, NEW.key
    parsed = parse_ca_secret(secret(data))
    assert parsed.cas == STORED[1:]


CERTIFICATE = der_of(OLD.pem)


@settings(max_examples=300, derandomize=True, database=None, deadline=None)
@given(
    position=st.integers(0, len(CERTIFICATE) - 1),
    replacement=st.binary(min_size=0, max_size=4),
    key=st.one_of(st.just(OLD.key), st.binary(max_size=64)),
)
def test_a_ca_with_any_changed_bytes_raises_nothing(
    position: int, replacement: bytes, key: bytes
) -> None:
    changed = CERTIFICATE[:position] + replacement + CERTIFICATE[position + len(replacement) :]
    data = {"1.crt": as_pem(changed), "1.key": key}
    parsed = parse_ca_secret(secret(data))
    for ca in parsed.cas:
        if ca.key is not None and ca.certificate.not_valid_after_utc > NOW:
            data_to_write(IssueServingCertificate(ca, "it is missing"), NOW, POLICY)
    state = State(parsed.cas, Unusable("is missing"), None, (), parsed.problems)
    action = plan(NOW, state, POLICY)
    if isinstance(action, AddCA):
        data_to_write(action, NOW, POLICY)
    parse_tls_secret(secret(TLS | {"tls.crt": as_pem(changed), "ca.crt": as_pem(changed)}))
    parse_ca_bundle(OLD.pem + as_pem(changed))


# The TLS Secret


def test_a_serving_certificate_is_parsed_as_it_was_written() -> None:
    certificate = x509.load_pem_x509_certificate(SERVING.pem)
    parsed = parse_tls_secret(secret(TLS, written=NOW, kind="kubernetes.io/tls"))
    assert parsed == StoredServingCertificate(certificate, STORED[0].certificate, NOW)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"tls.crt": b""}, "has no tls.crt"),
        ({"tls.key": b""}, "has no tls.key"),
        ({"ca.crt": b""}, "has no ca.crt"),
        ({"tls.crt": b"x"}, "is damaged: tls.crt holds 0 PEM certificates, expected one"),
        (
            {"tls.key": b"x"},
            "is damaged: tls.crt has no readable, unencrypted private key",
        ),
        (
            {"tls.key": OLD.key},
            "is damaged: tls.crt has a private key that belongs to another certificate",
        ),
        ({"ca.crt": NEW.pem}, "has a ca.crt that did not issue its tls.crt"),
        (
            {"ca.crt": OLD.pem + NEW.pem},
            "is damaged: ca.crt holds 2 PEM certificates, expected one",
        ),
        (
            {"tls.crt": as_pem(b"x")},
            "is damaged: tls.crt holds a certificate that cannot be read",
        ),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else None,
)
def test_an_unusable_serving_certificate_says_why(damage: dict[str, bytes], reason: str) -> None:
    assert parse_tls_secret(secret(TLS | damage)) == Unusable(reason)


# Secrets


@pytest.mark.parametrize(
    ("stored", "types", "obstacle"),
    [
        ({}, CA_SECRET_TYPES, ""),
        ({"type": "Opaque"}, CA_SECRET_TYPES, ""),
        ({"type": "Opaque"}, TLS_SECRET_TYPES, ""),
        ({"type": "kubernetes.io/tls"}, TLS_SECRET_TYPES, ""),
        (
            {"type": "kubernetes.io/tls"},
            CA_SECRET_TYPES,
            "has the type kubernetes.io/tls, expected Opaque",
        ),
        (
            {"type": "example.com/x"},
            TLS_SECRET_TYPES,
            "has the type example.com/x, expected kubernetes.io/tls",
        ),
        ({"type": "Opaque", "immutable": True}, CA_SECRET_TYPES, "is immutable"),
    ],
)
def test_a_secret_that_cannot_be_written_says_why(
    stored: dict[str, object], types: tuple[str, ...], obstacle: str
) -> None:
    assert write_obstacle(stored, types) == obstacle


def test_a_secret_was_written_when_any_manager_last_changed_it() -> None:
    metadata = {"creationTimestamp": "2026-01-01T00:00:00Z"}
    assert written_at({"metadata": metadata}) == datetime(2026, 1, 1, tzinfo=UTC)
    managed = [{"time": "2026-01-01T00:00:00Z"}, {"time": CHANGED}, {}]
    changed = {"metadata": metadata | {"managedFields": managed}}
    assert written_at(changed) == datetime(2026, 1, 2, tzinfo=UTC)


def test_a_secret_may_be_empty() -> None:
    assert decoded_data({}) == {}
    assert decoded_data({"data": None}) == {}
    assert decoded_data({"data": {"a": "YQ==", "b": "", "c": "!"}}) == {
        "a": b"a",
        "b": b"",
        "c": b"",
    }


# The MutatingWebhookConfiguration


def test_a_ca_bundle_may_hold_anything() -> None:
    """Two webhooks, another tool's CA, a serving certificate, text, and a damaged block."""
    other = trustme.CA().cert_pem.bytes()
    damaged = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    pems = {"a": b"text\n" + other + damaged + OLD.pem, "b": SERVING.pem + OLD.pem, "c": b""}
    ca_bundles = {name: parse_ca_bundle(pem) for name, pem in pems.items()}
    trusted = (certificates_in(other)[0], STORED[0].certificate)
    assert trusted_cas(WebhookConfiguration(ca_bundles, None)) == trusted


def test_a_ca_bundle_with_too_many_cas_is_replaced_as_a_whole() -> None:
    pem = b"".join(issue_ca(NOW).pem for _ in range(51))
    assert parse_ca_bundle(pem) == CABundle(pem, ())


def test_no_configuration_trusts_no_ca() -> None:
    assert trusted_cas(None) == ()


@pytest.mark.parametrize(
    ("managed", "owned"),
    [
        ([managed_fields("a", "b", time=CHANGED)], True),
        ([managed_fields("a", "b", by="helm"), managed_fields("a", "b", time=CHANGED)], True),
        ([managed_fields("a", time=CHANGED)], False),
        ([managed_fields("a", "b", how="Update", time=CHANGED)], False),
        ([managed_fields("a", "b", by="helm", time=CHANGED)], False),
        ([{"manager": "dind-certs", "operation": "Apply"}], False),
        ([], False),
    ],
    ids=["all", "beside another", "one of two", "not applied", "another's", "no fields", "none"],
)
def test_the_time_of_publication_is_known_if_dind_certs_owns_every_ca_bundle(
    managed: list[dict[str, object]], owned: bool
) -> None:
    published = datetime(2026, 1, 2, tzinfo=UTC) if owned else None
    parsed = parse_webhook_configuration(webhook_configuration(*managed))
    assert parsed == WebhookConfiguration(dict.fromkeys("ab", CABundle(b"pem", ())), published)


@pytest.mark.parametrize(
    ("managed", "published"),
    [
        (
            [
                managed_fields("a", "b"),
                managed_fields("a", by="edit", how="Update", time="2026-01-03T00:00:00Z"),
            ],
            datetime(2026, 1, 3, tzinfo=UTC),
        ),
        ([managed_fields("a", "b")], datetime(2026, 1, 1, tzinfo=UTC)),
    ],
    ids=["after another change", "without any"],
)
def test_a_publication_without_a_time_is_dated_by_the_last_change(
    managed: list[dict[str, object]], published: datetime
) -> None:
    """Never too early: a missing date must not make a caBundle look propagated."""
    parsed = parse_webhook_configuration(webhook_configuration(*managed))
    assert parsed.published == published


def test_a_configuration_may_have_no_webhooks_and_webhooks_no_ca_bundle() -> None:
    assert parse_webhook_configuration({"metadata": {}}) == WebhookConfiguration({}, None)
    bare = {"metadata": {}, "webhooks": [{"name": "a", "clientConfig": {}}]}
    empty = CABundle(b"", ())
    assert parse_webhook_configuration(bare) == WebhookConfiguration({"a": empty}, None)


# Pods


def _pod(name: str, ready: str = "True", **metadata: str) -> dict[str, object]:
    conditions = [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": ready}]
    status = {"podIP": "10.0.0.1", "conditions": conditions}
    return {"metadata": {"name": name, **metadata}, "status": status}


def test_ready_pods_are_those_that_requests_are_sent_to() -> None:
    pods = [
        _pod("ready"),
        _pod("starting", ready="False"),
        _pod("leaving", deletionTimestamp=CHANGED),
        {"metadata": {"name": "pending"}, "status": {}},
        {"metadata": {"name": "new"}},
    ]
    assert list(ready_pods({"items": pods})) == [("ready", "10.0.0.1")]


ADDRESS = Address("hook-0", "10.0.0.1", 8443)


@pytest.mark.parametrize(
    ("handshake", "replica"),
    [
        (
            Handshake(ADDRESS, STORED[0].certificate),
            Replica("hook-0", STORED[0].certificate),
        ),
        (
            Handshake(ADDRESS, unreachable="Connection refused"),
            Replica("hook-0", None, "cannot be probed: Connection refused"),
        ),
        (
            Handshake(ADDRESS, problem="no TLS: EOF"),
            Replica("hook-0", None, "cannot be probed: no TLS: EOF"),
        ),
    ],
    ids=["certificate", "unreachable", "no TLS"],
)
def test_a_replica_has_a_certificate_or_a_problem(handshake: Handshake, replica: Replica) -> None:
    assert parse_handshake(handshake) == replica


def test_keys_are_not_shown() -> None:
    assert "PRIVATE" not in repr(STORED)
