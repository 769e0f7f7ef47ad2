"""Pages of docs/ for people who use Docker in pods: what they print is what the product does."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cli.running import run
from pages import ROOT, find
from ruamel.yaml import YAML

from tools import chart, site
from webhook import __version__
from webhook.injection.scripts import SCRIPTS, START

DOCS = ROOT / "docs"
PAGES = (
    *("users/sidecar", "users/migrating", "users/troubleshooting"),
    *("administrators/node-mode", "administrators/storage"),
)
MARKDOWN = find(site.PAGES)
ABBREVIATED = {script: f"<{name}>" for name, script in SCRIPTS.items()}
NODE_PROFILE = "profiles: {node: {mode: node}}\n"

each_page = pytest.mark.parametrize("page", PAGES)


def text(page: str) -> str:
    return (DOCS / f"{page}.md").read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """The fenced examples of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text(page), re.MULTILINE | re.DOTALL)


def documents(page: str) -> list[dict[str, Any]]:
    return [YAML(typ="safe").load(block) for block in blocks(page, "yaml")]


def injected(pod: dict[str, Any], *options: str | Path) -> dict[str, Any]:
    """A pod after the injection, abbreviated as on the pages: the scripts, the version."""
    whole = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "build"}} | pod
    done = run("inject", "-f", "-", "-o", "json", *options, stdin=json.dumps(whole))
    assert done.exit_code == 0, done.stderr
    made: dict[str, Any] = json.loads(done.stdout.replace(__version__, "…"))
    for container in made["spec"]["initContainers"]:
        hook = container.get("lifecycle", {}).get("postStart", {}).get("exec", {})
        for command in filter(None, (container["command"], hook.get("command"))):
            command[2] = ABBREVIATED[command[2]]
    return made


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_existing_files_and_headings(page: Path) -> None:
    links = re.findall(r"\]\((?!https:)([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8"))
    for name, anchor in links:
        target = page.parent / name if name else page
        assert target.exists(), name
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(slug, headings), f"{name}#{anchor}"


def slug(heading: str) -> str:
    """The anchor of a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


HELM = re.compile(
    r"\bhelm (?:upgrade --install|install|upgrade|rollback|test|uninstall) [\w-]+ [^`]*"
)


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: str(page.relative_to(ROOT)))
def test_helm_commands_name_the_same_release_and_namespace(page: Path) -> None:
    """Otherwise a command of one page would miss what another page installed."""
    for command in HELM.findall(page.read_text(encoding="utf-8").replace("\\\n", " ")):
        line = command.splitlines()[0]
        assert re.search(r" dind-webhook( |$)", line), line
        assert re.search(r"(-n|--namespace) dind-webhook( |$)", line), line


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: str(page.relative_to(ROOT)))
def test_values_of_the_chart_that_commands_set_exist(page: Path) -> None:
    tree = chart.values((ROOT / "charts/dind-webhook/values.yaml").read_text())
    known = [".".join(value.path) for value in chart.leaves(tree)]
    named = re.findall(r"--set(?:-\w+)? '?([\w.]+)=", page.read_text(encoding="utf-8"))
    assert [
        name
        for name in named
        if not any(key == name or name.startswith(f"{key}.") for key in known)
    ] == []


@each_page
def test_named_tests_exist(page: str) -> None:
    named = re.findall(r"`(tests/[^`]*)`", text(page))
    assert [path for path in named if not (ROOT / path).exists()] == []


@each_page
def test_shell_examples_can_be_parsed(page: str) -> None:
    for block in blocks(page, "sh"):
        done = subprocess.run(
            ["sh", "-n"], input=block, capture_output=True, text=True, check=False
        )
        assert done.stderr == ""


@each_page
def test_examples_of_the_configuration_file_are_accepted(page: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    for block in blocks(page, "yaml"):
        if block.startswith("profiles:"):
            file.write_text(block)
            done = run("config", "check", file)
            assert done.exit_code == 0, done.stderr


def test_the_sidecars_page_shows_what_is_injected() -> None:
    (shown,) = documents("users/sidecar")
    (job,) = shown["spec"]["containers"]
    before = {
        "metadata": {"name": "build", "annotations": {"dind.io/inject": "true"}},
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {
                    **{key: job[key] for key in ("name", "image", "command")},
                    "volumeMounts": [{"name": "work", "mountPath": "/work"}],
                }
            ],
            "volumes": [{"name": "work", "emptyDir": {}}],
        },
    }
    assert injected(before) == shown


def test_each_flag_that_the_sidecars_page_explains_is_a_flag_of_the_daemon() -> None:
    (shown,) = documents("users/sidecar")
    (daemon,) = shown["spec"]["initContainers"]
    explained = re.findall(
        r"^\| `(--[a-z-]+)[^|]*?(?:, `(--[a-z-]+)`)? \|", text("users/sidecar"), re.MULTILINE
    )
    flags = {argument.partition("=")[0] for argument in daemon["args"]}
    assert {flag for row in explained for flag in row if flag} == flags


def test_the_page_of_mode_node_shows_what_is_injected(tmp_path: Path) -> None:
    asks, shown = documents("administrators/node-mode")
    file = tmp_path / "config.yaml"
    file.write_text(NODE_PROFILE)
    before = {
        "metadata": {"name": "build", **asks["metadata"]},
        "spec": {"containers": [{"name": "build", "image": "docker:29-cli"}]},
    }
    assert injected(before, f"--config={file}")["spec"] == shown["spec"]


def test_the_page_on_migrating_shows_before_and_after() -> None:
    before, after = documents("users/migrating")
    made = injected(before, "--namespace-label=true")["spec"]
    made["volumes"] = [
        volume for volume in made["volumes"] if not volume["name"].startswith("dind-")
    ]
    assert {key: made[key] for key in after["spec"]} == after["spec"]


def test_the_scripts_say_what_troubleshooting_quotes() -> None:
    quoted = re.findall(r"`(dind-start: [^`…]+)`", text("users/troubleshooting"))
    assert quoted
    for line in quoted:
        assert " ".join(line.removeprefix("dind-start: ").split()) in START
