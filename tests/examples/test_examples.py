"""Every example does what its header and the README say."""

import json
import re
from pathlib import Path
from typing import Any

import jsonpatch
import msgspec
import pytest
from examples.loading import CONFIGURATION, DIRECTORY, Example, all_examples, read
from ruamel.yaml import YAML

from webhook.config import Config
from webhook.injection import Admission, Decision, Denied, Injected, Reason, decide
from webhook.injection.annotations import STATUS
from webhook.injection.optin import route
from webhook.injection.pod import Pod

NAMESPACE = "ci"
EXAMPLES = all_examples()
INJECTED = [example for example in EXAMPLES if example.expectation is Reason.INJECTED]
README = (DIRECTORY / "README.md").read_text(encoding="utf-8")


def each(examples: list[Example]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("example", examples, ids=lambda example: example.path.stem)


def config_of(path: Path | None) -> Config:
    if path is None:
        return Config()
    document = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    return Config.model_validate_json(json.dumps(document))


def decision_on(raw: dict[str, Any], example: Example) -> Decision:
    pod = msgspec.convert(raw, Pod)
    endpoint = route(pod.annotations, example.namespace_label)
    assert endpoint is not None, "the API server would not call the webhook for this pod"
    return decide(Admission(endpoint, NAMESPACE, pod), config_of(example.config))


def patched(raw: dict[str, Any], decision: Decision) -> dict[str, Any]:
    assert isinstance(decision, Injected)
    result: dict[str, Any] = jsonpatch.apply_patch(raw, decision.patch)
    return result


@each(EXAMPLES)
def test_the_decision_is_the_one_in_the_header(example: Example) -> None:
    for raw in example.pods():
        decision = decision_on(raw, example)
        warnings = () if isinstance(decision, Denied) else tuple(decision.warnings)
        assert (decision.reason, warnings) == (example.expectation, example.warnings)


@each(INJECTED)
def test_the_containers_in_the_header_get_the_socket(example: Example) -> None:
    for raw in example.pods():
        pod = patched(raw, decision_on(raw, example))
        status = json.loads(pod["metadata"]["annotations"][STATUS])
        assert tuple(status["containers"]) == example.socket


@each(INJECTED)
def test_no_container_mounts_two_volumes_at_one_path(example: Example) -> None:
    """The API server refuses such a pod."""
    for raw in example.pods():
        spec = patched(raw, decision_on(raw, example))["spec"]
        for container in (*spec["initContainers"], *spec["containers"]):
            paths = [mount["mountPath"] for mount in container.get("volumeMounts", ())]
            assert len(paths) == len(set(paths)), container["name"]


@each(INJECTED)
def test_a_second_run_finds_nothing_to_do(example: Example) -> None:
    for raw in example.pods():
        again = decision_on(patched(raw, decision_on(raw, example)), example)
        assert isinstance(again, Injected)
        assert (again.reason, again.patch) == (Reason.ALREADY_INJECTED, [])


@each(EXAMPLES)
def test_the_readme_has_a_row_with_the_answer_and_the_commands(example: Example) -> None:
    name = example.path.name
    (row,) = [line for line in README.splitlines() if line.startswith(f"| [{name}]({name}) |")]
    assert f"**{example.expectation_text}**" in row
    assert f"`dind-webhook inject {example.options}`" in row
    assert f"`dind-webhook explain {example.options}`" in row


def test_the_readme_links_to_every_file_and_to_no_other() -> None:
    linked = set(re.findall(r"\]\(([^)]+\.yaml)\)", README))
    assert linked == {path.name for path in DIRECTORY.glob("*.yaml")}


def test_examples_cover_every_outcome() -> None:
    assert {example.outcome.value for example in EXAMPLES} == {"injected", "skipped", "denied"}


def test_the_configuration_file_shows_three_profiles_and_a_policy() -> None:
    config = config_of(CONFIGURATION)
    assert list(config.profiles) == ["default", "large", "node"]
    assert config.policy != Config().policy


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("kind: Pod\n", "bad.yaml does not begin with prose", id="no header"),
        pytest.param("# prose\n#\n# wish: x\n", "says '# wish: x'", id="unknown key"),
        pytest.param("# prose\n#\n# socket: a\n", r"expects \[\]", id="no expectation"),
        pytest.param("# prose\n#\n# expect: skipped windows\n", "allowed is one", id="no such one"),
    ],
)
def test_a_header_that_cannot_be_read_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read(path)
