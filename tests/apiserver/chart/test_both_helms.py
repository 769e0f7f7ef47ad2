"""Helm 3 and Helm 4 see the same chart."""

from pathlib import Path

import pytest
from apiserver.chart.helm import CHART, CI_VALUES, Helm, HelmRefused, Object, settings

pytestmark = pytest.mark.apiserver("helm", "helm3")


@pytest.fixture(scope="module")
def helm3(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm("helm3", tmp_path_factory.mktemp("helm3"))


def _sorted(rendered: list[Object]) -> list[Object]:
    return sorted(rendered, key=lambda item: (item["kind"], item["metadata"]["name"]))


@pytest.mark.parametrize("values", CI_VALUES, ids=lambda path: path.stem)
def test_both_render_the_same(helm: Helm, helm3: Helm, values: Path) -> None:
    old, new = helm3.objects(f"--values={values}"), helm.objects(f"--values={values}")

    assert _sorted(old) == _sorted(new)


@pytest.mark.parametrize("values", CI_VALUES, ids=lambda path: path.stem)
def test_helm_3_finds_nothing_to_lint(helm3: Helm, values: Path) -> None:
    said = helm3.run("lint", "--strict", CHART, f"--values={values}")

    assert "[WARNING]" not in said
    assert "[ERROR]" not in said


@pytest.mark.parametrize(
    ("key", "text", "sentence"),
    [
        ("nope", "1", "additional properties 'nope' not allowed"),
        ("config.profiles.a.mode", '"pod"', "/config/profiles/a/mode"),
        ("podDisruptionBudget.minAvailable", "2", "nodes with such a pod could not be drained"),
    ],
)
def test_helm_3_refuses_what_helm_4_refuses(
    helm: Helm, helm3: Helm, key: str, text: str, sentence: str
) -> None:
    for either in (helm, helm3):
        with pytest.raises(HelmRefused, match=sentence):
            either.template(*settings({key: text}))
