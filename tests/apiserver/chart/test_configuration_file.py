"""`helm install` refuses a configuration file that the service would refuse."""

import json

import pytest
from apiserver.chart.helm import Helm, HelmRefused
from unit.config.files import FIVE_ERRORS

from webhook.config import ConfigError, parse_config

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
    "a mirror without a scheme": {
        "profiles": {"a": {"registries": {"docker.io": {"mirrors": [{"url": "mirror"}]}}}}
    },
    "an argument that is no flag": {"profiles": {"a": {"daemon": {"extraArgs": ["debug"]}}}},
    "the group of root": {"profiles": {"a": {"socket": {"gid": 0}}}},
    "an unknown version": {"apiVersion": "dind.io/v2"},
    "a relative directory": {"profiles": {"a": {"socket": {"directory": "run"}}}},
    "a profile's name in capitals": {"profiles": {"Fast": {}}},
    "a Secret without a name": {"profiles": {"a": {"imagePullSecrets": [{}]}}},
    "credentials without a Secret": {"profiles": {"a": {"registryCredentials": {}}}},
    "credentials that no container can get": {
        "profiles": {"a": {"registryCredentials": {"secretName": "registry"}}},
        "policy": {"annotations": ["profile"]},
    },
    "an unknown annotation": {"policy": {"annotations": ["privileged"]}},
    "a default that is no profile": {"defaultProfile": "fast"},
    "a policy for no profile": {"policy": {"profiles": {"ci-*": ["fast"]}}},
    "unprivileged without a runtime": {"profiles": {"a": {"privileged": False}}},
}

ACCEPTED = {
    "every default": {},
    "the version": {"apiVersion": "dind.io/v1alpha1"},
    "amounts as numbers": {"profiles": {"a": {"resources": {"limits": {"cpu": 2.5}}}}},
    "a default of its own": {"defaultProfile": "a", "profiles": {"a": {}}},
    "the built-in profile, named": {"policy": {"profiles": {"ci-*": ["default"]}}},
    "unprivileged with a runtime": {
        "profiles": {"a": {"isolation": "runtimeClass", "runtimeClassName": "kata"}}
    },
    "credentials for the containers that pods choose": {
        "profiles": {"a": {"registryCredentials": {"secretName": "registry"}}}
    },
    "credentials for certain containers": {
        "profiles": {"a": {"registryCredentials": {"secretName": "ci", "containers": ["build"]}}},
        "policy": {"annotations": []},
    },
    "a group near the largest": {"profiles": {"a": {"socket": {"gid": 2147483646}}}},
}


@pytest.mark.parametrize("config", DENIED.values(), ids=DENIED)
def test_configuration_that_the_service_rejects_fails_the_rendering(
    helm: Helm, config: dict[str, object]
) -> None:
    with pytest.raises(ConfigError):
        parse_config(json.dumps(config).encode(), "config.yaml")

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
    expected = parse_config(json.dumps(config).encode(), "config.yaml")
    assert parse_config(file.encode(), "config.yaml") == expected


def test_five_errors_are_named_at_the_same_places(helm: Helm) -> None:
    with pytest.raises(ConfigError) as service:
        parse_config(json.dumps(FIVE_ERRORS).encode(), "config.yaml")
    paths = [problem.partition(":")[0] for problem in service.value.problems]
    assert len(paths) == 5

    with pytest.raises(HelmRefused) as chart:
        helm.template(f"--set-json=config={json.dumps(FIVE_ERRORS)}")
    for path in paths:
        mapping, _, key = path.rpartition(".")
        # An unknown key is named beside its mapping.
        named = (f"'/config/{path}'", f"'/config/{mapping}': additional properties '{key}'")
        refusal = str(chart.value)
        assert any(place.replace(".", "/") in refusal for place in named), (path, refusal)
