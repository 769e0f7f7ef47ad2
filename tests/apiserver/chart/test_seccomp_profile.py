"""The seccomp profile for sidecars in a user namespace, and the runtime's default profile."""

import json
import re
from typing import Any

import pytest
from apiserver.chart.helm import CHART

from tools.build import module_file

pytestmark = pytest.mark.apiserver("helm")

ALLOW = "SCMP_ACT_ALLOW"
# The default profile allows them to containers with SYS_ADMIN.
NOT_NEEDED = {
    "bpf",
    "fanotify_init",
    "lookup_dcookie",
    "perf_event_open",
    "quotactl",
    "quotactl_fd",
    "syslog",
}


@pytest.fixture(scope="module")
def rules() -> list[dict[str, Any]]:
    document = json.loads((CHART / "files/dind-seccomp.json").read_text())
    assert document["defaultAction"] == "SCMP_ACT_ERRNO"
    found: list[dict[str, Any]] = document["syscalls"]
    return found


def test_seccomp_profile_adds_only_pivot_root_to_the_default_of_containerd(
    rules: list[dict[str, Any]],
) -> None:
    source = module_file("containerd", "contrib/seccomp/seccomp_default.go").read_text()
    known = set(re.findall(r'"([a-z0-9_]+)"', source))
    allowed = {name for rule in rules if rule["action"] == ALLOW for name in rule["names"]}
    assert allowed - known == {"pivot_root"}
    assert not allowed & NOT_NEEDED
    assert known >= NOT_NEEDED


def test_seccomp_profile_has_the_socket_families_of_the_default(
    rules: list[dict[str, Any]],
) -> None:
    """AF_ALG (38) and AF_VSOCK (40) are missing; 45 is the last."""
    conditions = {
        (argument["op"], argument["value"])
        for rule in rules
        if rule["names"] == ["socket"]
        for argument in rule["args"]
    }
    equal = {("SCMP_CMP_EQ", number) for number in (39, 41, 42, 43, 44, 45)}
    assert conditions == {("SCMP_CMP_LT", 38)} | equal


def test_seccomp_profile_lets_runc_do_without_keyrings(rules: list[dict[str, Any]]) -> None:
    """With ENOSYS, and with no other error."""
    (rule,) = [rule for rule in rules if "keyctl" in rule["names"]]
    assert (rule["action"], rule["errnoRet"]) == ("SCMP_ACT_ERRNO", 38)
