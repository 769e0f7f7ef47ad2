"""Pods are created without pause while certificates rotate: not one create fails."""
# ruff: noqa: D102  (methods of test classes: their names are sentences)

import sys
import time
from pathlib import Path

import pytest
from apiserver.chart.helm import FULLNAME, NAMESPACE
from apiserver.rotation.conftest import DELIVERY, HASTE, SECONDS, Installed
from apiserver.rotation.creates import Creates, creating
from kube.standin_pod import Settings
from kube.waiting import until
from service.running import COMMAND

pytestmark = [
    pytest.mark.apiserver("helm", "kube-controller-manager", "kube-scheduler"),
    pytest.mark.timeout(SECONDS + 400),
]

_CERTS = COMMAND.with_name("dind-certs")
EVENTS = ("CA added", "caBundle published", "serving certificate issued", "CAs changed")
PATIENCE = 240  # seconds; two rotations take some 70


def _watch(creates: Creates, seconds: float) -> None:
    """Let it rotate, and stop early at a failed create."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not creates.failures:
        time.sleep(0.2)


def _rotated(installed: Installed, creates: Creates, times: int = 2) -> bool:
    """Whether so many old CAs were removed; also true at a failed create, to end the wait."""
    return installed.count("CAs changed") >= times or bool(creates.failures)


def test_no_create_fails_while_certificates_rotate(installed: Installed) -> None:
    """With `pytest -s` it prints the figures of docs/administrators/certificates.md."""
    with creating(installed.cluster, installed.namespace) as creates:
        until(lambda: _rotated(installed, creates), "two rotations", seconds=PATIENCE)
        _watch(creates, SECONDS)
    counts = ", ".join(f"{event} {installed.count(event)}" for event in EVENTS)
    print(f"\ncreates {creates.sent}, failures {len(creates.failures)}; {counts}")  # noqa: T201

    assert creates.failures == []
    assert creates.sent > SECONDS  # several clients, without pause
    assert installed.count("CA added") >= 3
    assert installed.count("serving certificate issued") >= 3


class TestWithoutTheOrder:
    """The same load under a plan that replaces everything at once, as one-file rotators do."""

    @pytest.fixture
    def settings(self) -> Settings:
        hasty = Path(__file__).with_name("hasty.py")
        return Settings(
            delivery=DELIVERY,
            environment=HASTE,
            programs={"dind-certs": [sys.executable, hasty]},
        )

    def test_creates_fail(self, installed: Installed) -> None:
        with creating(installed.cluster, installed.namespace) as creates:
            until(lambda: bool(creates.failures), "a failed create", seconds=PATIENCE)

        assert installed.count("CA added") >= 2
        assert any("certificate signed by unknown authority" in said for said in creates.failures)


class TestKilledAtEveryStep:
    """SIGKILL right after each kind of write; the node starts the process anew."""

    @pytest.fixture
    def settings(self) -> Settings:
        # The last third, 40 s, holds a rotation of six writes and as many starts of a process.
        lifetimes = {
            "DIND_CERTS_SERVING_CERTIFICATE_LIFETIME": "120s",
            "DIND_CERTS_CA_LIFETIME": "120s",
        }
        return Settings(delivery=DELIVERY, environment=HASTE | lifetimes)

    def test_no_create_fails(self, installed: Installed) -> None:
        killed: dict[str, int] = dict.fromkeys(EVENTS, 0)
        with creating(installed.cluster, installed.namespace) as creates:
            seen = {event: installed.count(event) for event in EVENTS}

            def kill_after_writes() -> bool:
                for event in EVENTS:
                    if (count := installed.count(event)) > seen[event]:
                        seen[event] = count
                        killed[event] += 1
                        for pod in installed.node.of("certificates"):
                            pod.kill()
                return all(killed.values()) or bool(creates.failures)

            until(kill_after_writes, f"a kill at every step, so far {killed}", seconds=PATIENCE)
            _watch(creates, 8)

        assert creates.failures == []


def test_no_create_fails_while_two_copies_rotate(installed: Installed) -> None:
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{FULLNAME}-certs/scale"
    installed.cluster.client.patch(
        path,
        json={"spec": {"replicas": 2}},
        headers={"Content-Type": "application/merge-patch+json"},
    ).raise_for_status()
    until(lambda: len(installed.node.ready("certificates")) == 2, "two copies", seconds=60)

    with creating(installed.cluster, installed.namespace) as creates:
        until(lambda: _rotated(installed, creates), "two rotations", seconds=PATIENCE)

    assert creates.failures == []


class TestWithTheAPIServerAway:
    """It is killed in the middle of a rotation, and comes back after dates have passed."""

    @pytest.fixture
    def settings(self) -> Settings:
        # The last third must also hold the time until the API server is back.
        lifetimes = {
            "DIND_CERTS_SERVING_CERTIFICATE_LIFETIME": "120s",
            "DIND_CERTS_CA_LIFETIME": "120s",
        }
        return Settings(delivery=DELIVERY, environment=HASTE | lifetimes)

    def test_no_create_fails(self, installed: Installed) -> None:
        with creating(installed.cluster, installed.namespace) as creates:
            until(lambda: installed.count("CA added") >= 2, "a rotation", seconds=PATIENCE)
            with creates.paused(), installed.cluster.away():
                time.sleep(4)  # longer than the propagation delay
            until(lambda: _rotated(installed, creates, 1), "its end", seconds=PATIENCE)
            _watch(creates, 5)

        assert creates.failures == []


class TestWithClocksThatAreOff:
    """The clocks of the rotation and of the service are minutes off, in either direction."""

    @pytest.fixture(params=["-4m", "+4m"])
    def settings(self, request: pytest.FixtureRequest) -> Settings:
        library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
        skewed = {
            "LD_PRELOAD": library,
            "FAKETIME": request.param,
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        return Settings(
            delivery=DELIVERY,
            environment=HASTE,
            programs={"dind-certs": ["env", *(f"{k}={v}" for k, v in skewed.items()), _CERTS]},
        )

    def test_no_create_fails(self, installed: Installed) -> None:
        with creating(installed.cluster, installed.namespace) as creates:
            until(lambda: _rotated(installed, creates), "two rotations", seconds=PATIENCE)

        assert creates.failures == []
