"""What the chart renders, without a cluster."""

import json
from pathlib import Path

import pytest
from apiserver.chart.helm import (
    CHART,
    CI_VALUES,
    FULLNAME,
    NAMESPACE,
    Helm,
    HelmRefused,
    Object,
    objects,
    one,
    settings,
)
from apiserver.chart.presets import DIGEST, ISSUED, MONITORED, NODE, NODE_CHECK, PRE_PULL, PROVIDED

from webhook import __version__
from webhook.config import Isolation, Profile
from webhook.injection.scripts import CHECK_NODE, START
from webhook.injection.sidecar import security_context

pytestmark = pytest.mark.apiserver("helm")


@pytest.mark.parametrize("values", CI_VALUES, ids=lambda path: path.stem)
def test_lint_has_nothing_to_say(helm: Helm, values: Path) -> None:
    said = helm.run("lint", "--strict", CHART, f"--values={values}")

    assert "[WARNING]" not in said
    assert "[ERROR]" not in said


def test_lint_has_nothing_to_say_of_the_defaults(helm: Helm) -> None:
    said = helm.run("lint", "--strict", CHART)

    assert "[WARNING]" not in said
    assert "[ERROR]" not in said


def test_webhooks_call_the_service_and_exclude_the_release_namespace(helm: Helm) -> None:
    """The rest of it is held by the opt-in table, whose tests register this very rendering."""
    rendered = one(helm.objects(), "MutatingWebhookConfiguration")

    for endpoint in rendered["webhooks"]:
        path = f"/inject/{endpoint['name'].removesuffix('.dind.io')}"
        service = {"name": FULLNAME, "namespace": NAMESPACE, "path": path, "port": 443}
        assert endpoint["clientConfig"] == {"service": service}
        excluded = endpoint["namespaceSelector"]["matchExpressions"][1]
        assert excluded["key"] == "kubernetes.io/metadata.name"
        assert {"kube-system", "kube-public", "kube-node-lease", NAMESPACE} <= {*excluded["values"]}
        assert (endpoint["failurePolicy"], endpoint["timeoutSeconds"]) == ("Fail", 5)
        assert (endpoint["reinvocationPolicy"], endpoint["sideEffects"]) == ("IfNeeded", "None")
        assert endpoint["matchPolicy"] == "Equivalent"


@pytest.mark.parametrize("values", CI_VALUES, ids=lambda path: path.stem)
def test_a_bundle_is_rendered_in_mode_provided_only(helm: Helm, values: Path) -> None:
    rendered = helm.objects(f"--values={values}")

    clients = [
        endpoint["clientConfig"]
        for endpoint in one(rendered, "MutatingWebhookConfiguration")["webhooks"]
    ]

    assert all(("caBundle" in client) == (values.stem == "provided-values") for client in clients)
    assert not [item for item in rendered if item["kind"] == "Secret"]


def _pod_specs(rendered: list[Object]) -> dict[str, Object]:
    return {
        item["metadata"]["name"]: item["spec"]["template"]["spec"]
        for item in rendered
        if item["kind"] in ("Deployment", "DaemonSet")
    }


def test_pods_may_do_nothing_that_they_need_not(helm: Helm) -> None:
    specs = _pod_specs(helm.objects())

    assert specs.keys() == {FULLNAME, f"{FULLNAME}-certs"}
    for spec in specs.values():
        assert spec["securityContext"] == {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "runAsGroup": 65532,
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_serving_pods_mount_the_serving_certificate_and_no_ca(helm: Helm) -> None:
    spec = _pod_specs(helm.objects())[FULLNAME]

    (volume,) = spec["volumes"]
    (secret,) = [
        source["secret"] for source in volume["projected"]["sources"] if "secret" in source
    ]
    assert secret["name"] == f"{FULLNAME}-tls"
    assert [item["key"] for item in secret["items"]] == ["tls.crt", "tls.key"]


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ({}, f"dind-webhook:{__version__}"),
        ({"image.registry": '"a.example"'}, f"a.example/dind-webhook:{__version__}"),
        (
            {"image.registry": '"a.example"', "global.imageRegistry": '"b.example/ci/"'},
            f"b.example/ci/dind-webhook:{__version__}",
        ),
        (
            {"global.imageRegistry": '"b.example"', "image.digest": f'"{DIGEST}"'},
            f"b.example/dind-webhook@{DIGEST}",
        ),
    ],
    ids=["default", "registry", "global registry", "digest"],
)
def test_all_pods_have_the_image_of_the_registry(
    helm: Helm, values: dict[str, str], image: str
) -> None:
    specs = _pod_specs(helm.objects(*settings(values)))

    images = {container["image"] for spec in specs.values() for container in spec["containers"]}
    assert images == {image}


def test_strings_in_extra_objects_are_templates(helm: Helm) -> None:
    extra = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": '{{ include "dind-webhook.fullname" . }}-extra'},
    }
    rendered = helm.objects(*settings({"extraObjects": json.dumps([extra])}))

    assert one(rendered, "Secret", f"{FULLNAME}-extra")


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, FULLNAME),
        ({"serviceAccount.name": '"own"'}, "own"),
        ({"serviceAccount.create": "false"}, "default"),
        ({"serviceAccount.create": "false", "serviceAccount.name": '"own"'}, "own"),
    ],
    ids=["default", "name", "none", "existing"],
)
def test_serving_pods_use_the_service_account(
    helm: Helm, values: dict[str, str], name: str
) -> None:
    rendered = helm.objects(*settings(values))

    spec = _pod_specs(rendered)[FULLNAME]
    accounts = [item["metadata"]["name"] for item in rendered if item["kind"] == "ServiceAccount"]
    assert spec["serviceAccountName"] == name
    assert (name in accounts) == (values.get("serviceAccount.create") != "false")


def test_restrictions_come_in_addition_to_the_chart_s_own(helm: Helm) -> None:
    requirement = {"key": "team", "operator": "Exists"}
    condition = {"name": "real", "expression": "!request.dryRun"}
    plain = one(helm.objects(), "MutatingWebhookConfiguration")["webhooks"]
    restricted = one(
        helm.objects(
            *settings(
                {
                    "webhook.namespaceSelector": json.dumps({"matchExpressions": [requirement]}),
                    "webhook.matchConditions": json.dumps([condition]),
                }
            )
        ),
        "MutatingWebhookConfiguration",
    )["webhooks"]

    for before, after in zip(plain, restricted, strict=True):
        expressions = before["namespaceSelector"]["matchExpressions"]
        assert after["namespaceSelector"]["matchExpressions"] == [*expressions, requirement]
        assert after["matchConditions"] == [*before["matchConditions"], condition]


def test_other_update_strategies_have_no_settings_of_rolling_updates(helm: Helm) -> None:
    rendered = helm.objects(
        *settings(
            {
                **NODE,
                "updateStrategy.type": '"Recreate"',
                "node.updateStrategy.type": '"OnDelete"',
            }
        )
    )

    assert one(rendered, "Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    daemons = one(rendered, "DaemonSet", f"{FULLNAME}-node")["spec"]
    assert daemons["updateStrategy"] == {"type": "OnDelete"}


@pytest.mark.parametrize("key", ["config", "image", "webhook", "certificates", "global"])
def test_null_for_a_section_is_named(helm: Helm, key: str) -> None:
    with pytest.raises(HelmRefused, match=f"missing property '{key}'"):
        helm.objects(*settings({key: "null"}))


def test_the_rotation_prefers_nodes_without_ci_pods(helm: Helm) -> None:
    """Root on its node has the key of the CA."""
    own = {"key": "infra", "operator": "Exists"}
    spec = _pod_specs(helm.objects(*settings({"tolerations": json.dumps([own])})))[
        f"{FULLNAME}-certs"
    ]

    (preferred,) = spec["affinity"]["nodeAffinity"][
        "preferredDuringSchedulingIgnoredDuringExecution"
    ]
    (term,) = preferred["preference"]["matchExpressions"]
    assert term == {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}
    assert spec["tolerations"] == [own, {**term, "effect": "NoSchedule"}]


def test_the_node_profile_is_added_to_the_configuration_file(helm: Helm) -> None:
    rendered = helm.objects(*settings({**NODE, "config.profiles.small": "{}"}))

    assert _profiles(rendered) == {
        "small": {},
        "node": {"mode": "node", "image": "docker:29-dind"},
    }


def test_a_node_profile_of_ones_own_stays(helm: Helm) -> None:
    profile = {"mode": "node", "image": "docker:28-dind", "startTimeout": 90}
    rendered = helm.objects(*settings({**NODE, "config.profiles.node": json.dumps(profile)}))

    assert _profiles(rendered) == {"node": profile}


def _profiles(rendered: list[Object]) -> Object:
    (file,) = objects(one(rendered, "ConfigMap")["data"]["config.yaml"])
    profiles: Object = file["profiles"]
    return profiles


def test_a_nodes_daemon_runs_the_start_script(helm: Helm) -> None:
    rendered = helm.objects(*settings(NODE))

    (container,) = _pod_specs(rendered)[f"{FULLNAME}-node"]["containers"]

    shell, flag, script, name = container["command"]
    assert (shell, flag, name) == ("sh", "-c", "dind-start")
    assert script.strip() == START
    assert container["args"] == [
        "--host=unix:///var/run/dind/docker.sock",
        "--group=2375",
        "--pidfile=/var/dind/docker.pid",
        "--exec-root=/var/dind/exec",
    ]
    assert container["securityContext"]["privileged"]


def test_a_node_is_checked_in_a_container_like_the_sidecar(helm: Helm) -> None:
    rendered = helm.objects(*settings(NODE_CHECK))

    _, check = _pod_specs(rendered)[f"{FULLNAME}-node-check"]["initContainers"]

    shell, flag, script, name = check["command"]
    assert (shell, flag, name) == ("sh", "-c", "dind-check-node")
    assert script.strip() == CHECK_NODE
    assert check["securityContext"] == security_context(
        Isolation.USER_NAMESPACE, None, has_local_apparmor_profile=False
    )


@pytest.mark.parametrize(
    ("config", "images"),
    [
        ({}, [Profile().image]),
        (
            {"profiles": {"large": {}, "old": {"image": "docker:28-dind"}}},
            ["docker:28-dind", Profile().image],
        ),
        ({"profiles": {"default": {"image": "docker:28-dind"}}}, ["docker:28-dind"]),
        (
            {"defaultProfile": "a", "profiles": {"a": {"image": "a:1"}, "b": {"image": "a:1"}}},
            ["a:1"],
        ),
    ],
    ids=json.dumps,
)
def test_each_image_of_the_profiles_is_pulled_once(
    helm: Helm, config: Object, images: list[str]
) -> None:
    spec = _pod_specs(helm.objects(*settings({**PRE_PULL, "config": json.dumps(config)})))[
        f"{FULLNAME}-pre-pull"
    ]

    assert [container["image"] for container in spec["initContainers"]] == images
    (waiting,) = spec["containers"]
    assert waiting["image"] == images[0]


def test_the_image_of_the_added_node_profile_is_pulled(helm: Helm) -> None:
    rendered = helm.objects(*settings({**PRE_PULL, **NODE, "node.image": '"docker:28-dind"'}))

    pulled = _pod_specs(rendered)[f"{FULLNAME}-pre-pull"]["initContainers"]

    assert [container["image"] for container in pulled] == ["docker:28-dind", Profile().image]


@pytest.mark.parametrize(
    ("values", "hours"),
    [
        ({"certificates.self.servingCertificateDays": "8"}, 48),
        ({**ISSUED, "certificates.certManager.servingCertificateDays": "1"}, 6),
        (PROVIDED, 72),
    ],
    ids=["self", "cert-manager", "provided"],
)
def test_a_late_renewal_alerts_while_there_is_time(
    helm: Helm, values: dict[str, str], hours: int
) -> None:
    rendered = one(helm.objects(*settings({**MONITORED, **values})), "PrometheusRule")

    (expression,) = [
        rule["expr"]
        for rule in rendered["spec"]["groups"][0]["rules"]
        if rule["alert"] == "DindWebhookCertificateExpires"
    ]
    assert expression.endswith(f"- time() < {hours} * 3600")


def test_a_parent_charts_own_keys_are_allowed(helm: Helm) -> None:
    assert helm.objects(*settings({"global": '{"team": "ci"}', "enabled": "true"}))


@pytest.mark.parametrize("older", ["v1.29.9", "v1.28.0"])
def test_kubernetes_older_than_1_30_is_rejected(helm: Helm, older: str) -> None:
    with pytest.raises(HelmRefused, match=r"requires kubeVersion: >=1\.30\.0-0"):
        helm.template(f"--kube-version={older}")


@pytest.mark.parametrize("managed", ["v1.30.0", "v1.33.5-gke.1080000", "v1.34.1-eks-113cf36"])
def test_a_vendors_kubernetes_is_accepted(helm: Helm, managed: str) -> None:
    assert helm.objects(f"--kube-version={managed}")
