"""`helm install` refuses an operator's file that the service would refuse."""

import json

import pytest
from apiserver.chart.helm import Helm, HelmRefused

from webhook import operator

pytestmark = pytest.mark.apiserver("helm")

DENIED = {
    "an unknown key": {"profile": {}},
    "an unknown key of a profile": {"profiles": {"a": {"mod": "node"}}},
    "an unknown mode": {"profiles": {"a": {"mode": "pod"}}},
    "an image that is none": {"profiles": {"a": {"image": "docker 29"}}},
    "a timeout of nothing": {"profiles": {"a": {"startTimeout": 0}}},
    "a timeout as text": {"profiles": {"a": {"startTimeout": "60"}}},
    "a memory limit that is none": {
        "profiles": {"a": {"resources": {"limits": {"memory": "4GiB"}}}}
    },
    "a negative CPU": {"profiles": {"a": {"resources": {"requests": {"cpu": -1}}}}},
    "an MTU that is too small": {"profiles": {"a": {"daemon": {"mtu": 10}}}},
    "a mirror without a scheme": {"profiles": {"a": {"daemon": {"registryMirrors": ["mirror"]}}}},
    "an argument that is no flag": {"profiles": {"a": {"daemon": {"extraArgs": ["debug"]}}}},
    "the group of root": {"profiles": {"a": {"socket": {"gid": 0}}}},
    "a relative folder": {"profiles": {"a": {"socket": {"directory": "run"}}}},
    "a profile's name in capitals": {"profiles": {"Fast": {}}},
    "a Secret without a name": {"profiles": {"a": {"imagePullSecrets": [{}]}}},
    "an unknown annotation": {"policy": {"annotations": ["privileged"]}},
    "a default that is no profile": {"defaultProfile": "fast"},
    "a policy for no profile": {"policy": {"profiles": {"ci-*": ["fast"]}}},
    "unprivileged without a runtime": {"profiles": {"a": {"privileged": False}}},
}

ACCEPTED = {
    "every default": {},
    "amounts as numbers": {"profiles": {"a": {"resources": {"limits": {"cpu": 2.5}}}}},
    "a default of its own": {"defaultProfile": "a", "profiles": {"a": {}}},
    "the built-in profile, named": {"policy": {"profiles": {"ci-*": ["default"]}}},
    "unprivileged with a runtime": {
        "profiles": {"a": {"privileged": False, "runtimeClassName": "kata"}}
    },
    "a group near the largest": {"profiles": {"a": {"socket": {"gid": 2147483646}}}},
}


@pytest.mark.parametrize("config", DENIED.values(), ids=DENIED)
def test_what_the_service_refuses_is_refused(helm: Helm, config: dict[str, object]) -> None:
    with pytest.raises(operator.ConfigError):
        operator.parse(json.dumps(config), "config.yaml")

    with pytest.raises(HelmRefused, match=r"at '/config|config\.|propertyName 'Fast'"):
        helm.template(f"--set-json=config={json.dumps(config)}")


@pytest.mark.parametrize("config", ACCEPTED.values(), ids=ACCEPTED)
def test_what_the_service_accepts_reaches_it_as_it_was(
    helm: Helm, config: dict[str, object]
) -> None:
    rendered = helm.objects(f"--set-json=config={json.dumps(config)}")

    (file,) = [
        item["data"]["config.yaml"] for item in rendered if "config.yaml" in item.get("data", {})
    ]
    expected = operator.parse(json.dumps(config), "config.yaml")
    assert operator.parse(file, "config.yaml") == expected
