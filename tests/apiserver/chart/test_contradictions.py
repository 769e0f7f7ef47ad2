"""Values that are fine one by one and make no sense together are refused with a sentence."""

import re

import pytest
from apiserver.chart.helm import Helm, HelmRefused, settings
from apiserver.chart.presets import CALLED, CERTIFICATE, DIGEST, ISSUED, PROVIDED, SCALED

pytestmark = pytest.mark.apiserver("helm")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"image.tag": '"1"', "image.digest": f'"{DIGEST}"'},
            "image.tag and image.digest are both set",
        ),
        ({"nameOverride": '"Dind"'}, 'The objects would be called "ci-Dind"'),
        ({"fullnameOverride": '"9lives"'}, 'The objects would be called "9lives"'),
        ({"checker.subjects": '[{"kind": "User", "name": "jane"}]'}, "checker.create is false"),
        (
            {"tests.namespace": '"ci"', "webhook.excludedNamespaces": '["ci"]'},
            "tests.namespace is ci, which webhook.excludedNamespaces excludes",
        ),
        ({"replicas": "1"}, "podDisruptionBudget.minAvailable is 1 and replicas is 1"),
        (
            {**SCALED, "autoscaling.minReplicas": "1"},
            "podDisruptionBudget.minAvailable is 1 and autoscaling.minReplicas is 1",
        ),
        ({**SCALED, "replicas": "3"}, "replicas is set and autoscaling.enabled is true"),
        (
            {**SCALED, "autoscaling.minReplicas": "7"},
            "autoscaling.minReplicas is 7, more than autoscaling.maxReplicas, 6",
        ),
        (
            {**SCALED, "resources": '{"requests": {"cpu": null}}'},
            "a part of resources.requests.cpu, which is not set",
        ),
        (
            {"certificates.mode": '"provided"'},
            "certificates.provided.secretName does not say by which Secret",
        ),
        (
            {"certificates.mode": '"provided"'},
            "certificates.provided.caBundle is empty",
        ),
        (
            {**PROVIDED, "certificates.provided.caBundle": '"MII="'},
            "certificates.provided.caBundle holds no certificate in PEM",
        ),
        (
            {
                **PROVIDED,
                "certificates.provided.caBundle": CERTIFICATE.replace("END", "PRIVATE KEY-----"),
            },
            "certificates.provided.caBundle holds a private key",
        ),
        (
            {"certificates.provided.caBundle": CERTIFICATE},
            "certificates.provided.caBundle is set, but certificates.mode is self",
        ),
        (
            {**ISSUED, "certificates.provided.secretName": '"own"'},
            "certificates.provided.secretName is set, but certificates.mode is cert-manager",
        ),
        (
            {**CALLED, "webhook.clientCA.secretName": '"own"'},
            "webhook.clientCA.configMapName and .secretName are both set",
        ),
        (
            {"webhook.clientCA.name": '"kube-apiserver"'},
            "webhook.clientCA.name is set, but no certificates vouch for it",
        ),
        (
            {"certificates.self.servingCertificateDays": "366"},
            (
                "certificates.self.servingCertificateDays is 366, more than "
                "certificates.self.caDays, 365"
            ),
        ),
        (
            {"certificates.certManager.issuerRef": '{"name": "internal"}'},
            "certificates.certManager.issuerRef is set, but certificates.mode is self",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_values_that_make_no_sense_together_are_refused(
    helm: Helm, values: dict[str, str], sentence: str
) -> None:
    with pytest.raises(HelmRefused, match=re.escape(sentence)):
        helm.template(*settings(values))


def test_all_contradictions_are_told_at_once(helm: Helm) -> None:
    with pytest.raises(HelmRefused) as refusal:
        helm.template(
            *settings({"replicas": "1", "certificates.certManager.issuerRef": '{"name": "a"}'})
        )

    assert "replicas is 1" in str(refusal.value)
    assert "issuerRef is set" in str(refusal.value)
