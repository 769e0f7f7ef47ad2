"""The page that explains pasted pods, over HTTP."""

import html
import json
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from cli.running import POD, run
from kube.waiting import until
from service.mounting import MountedDirectory
from service.paging import RunningPage, running_page

PLAIN_POD = POD.replace('  annotations:\n    dind.io/inject: "true"\n', "")
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: builder}
spec:
  template:
    metadata:
      annotations: {dind.io/inject: "true"}  # this comment stays
    spec:
      containers: [{name: build, image: "docker:cli"}]
"""
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    """A page with the default configuration, and one more excluded namespace."""
    with running_page(tmp_path_factory.mktemp("page"), "--exclude-namespace=tools") as running:
        yield running


def text_of(response: httpx.Response) -> str:
    """The page's text without tags, as one line; what the textarea holds is left out."""
    body = re.sub(r"<(style|textarea).*?</\1>", "", response.text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def textarea(response: httpx.Response) -> str:
    (found,) = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", response.text, re.DOTALL)
    return html.unescape(found)


def diff(response: httpx.Response) -> list[str]:
    (found,) = re.findall(r'<pre class="diff".*?</pre>', response.text, re.DOTALL)
    return html.unescape(re.sub(r"<[^>]*>", "", found)).splitlines()


def test_the_form_loads_nothing_and_cannot_be_framed(page: RunningPage) -> None:
    response = page.client.get("/")

    assert response.status_code == 200
    policy = dict(
        part.strip().partition(" ")[::2]
        for part in response.headers["content-security-policy"].split(";")
    )
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/=]+'", policy.pop("style-src"))
    assert policy == {
        "default-src": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"<script|<link|<img|\bsrc=|https?:| on[a-z]+=", response.text)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize("path", ["/", "/nowhere"])
def test_every_page_has_the_headers_and_is_not_stored(
    page: RunningPage, method: str, path: str
) -> None:
    response = page.client.request(method, path)

    assert response.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert response.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\n\r\n", 200),
        (b"GET /readyz HTTP/1.1\r\n\r\n", 200),
        (b"EHLO mail.example\r\n", 400),
        (b"GET /?" + b"x" * 40_000 + b" HTTP/1.1\r\n\r\n", 431),
    ],
)
def test_other_answers_have_the_headers_too(page: RunningPage, sent: bytes, status: int) -> None:
    with socket.create_connection((page.client.base_url.host, page.client.base_url.port)) as client:
        client.sendall(sent)
        received = client.recv(65536)

    assert received.startswith(b"HTTP/1.1 %d " % status)
    for header in (b"content-security-policy", b"x-content-type-options", b"cache-control"):
        assert received.count(b"\r\n%b: " % header) == 1


def test_injected_pods_are_shown_with_a_diff(page: RunningPage) -> None:
    response = page.explain(POD)

    assert response.status_code == 200
    assert "The pod gets a Docker daemon (profile default, mode sidecar)" in text_of(response)
    added = [line[1:].strip() for line in diff(response) if line.startswith("+")]
    assert "- name: dind" in added
    assert not [line for line in diff(response) if line.startswith("-")]
    assert textarea(response) == POD


def test_the_checks_are_those_of_explain(page: RunningPage) -> None:
    bad = POD.replace("annotations:", "annotations:\n    dind.io/profile: large")
    explained = json.loads(run("explain", "-f", "-", "-o", "json", stdin=bad).stdout)
    (pod,) = explained["pods"]

    text = text_of(page.explain(bad))

    for check in pod["checks"]:
        assert f"{check['check']} {check['result']} {check['question']}" in text
        for note in check["notes"]:
            assert note["text"] in text


@pytest.mark.parametrize(
    ("pod", "label", "verdict"),
    [
        (PLAIN_POD, "unset", "Skipped pod/clean-ci The pod is created without Docker"),
        (PLAIN_POD, "true", "Injected pod/clean-ci The pod gets a Docker daemon"),
        (PLAIN_POD, "false", "Skipped pod/clean-ci The pod is created without Docker"),
        (POD, "false", "Denied pod/clean-ci The API server rejects the pod"),
    ],
)
def test_the_label_of_the_namespace_decides(
    page: RunningPage, pod: str, label: str, verdict: str
) -> None:
    response = page.explain(pod, label)

    assert verdict in text_of(response)
    assert f'value="{label}" checked' in response.text


@pytest.mark.parametrize("namespace", ["tools", "kube-system"])
def test_excluded_namespaces_are_known(page: RunningPage, namespace: str) -> None:
    assert "(excluded-namespace)" in text_of(page.explain(POD, namespace=namespace))


def test_several_documents_have_a_section_each(page: RunningPage) -> None:
    response = page.explain(f"{DEPLOYMENT}---\n{PLAIN_POD}---\n{SERVICE}")

    text = text_of(response)
    assert "2 pods: 1 injected, 1 skipped" in text
    assert "service/web: no pod in it" in text
    assert any("# this comment stays" in line for line in diff(response))


def test_json_is_compared_as_yaml(page: RunningPage) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "build", "annotations": {"dind.io/inject": "true"}},
        "spec": {"containers": [{"name": "build"}]},
    }
    response = page.explain(json.dumps(pod))

    assert "Your JSON is shown as YAML." in text_of(response)
    assert "+  - name: dind" in diff(response)


@pytest.mark.parametrize(
    "hostile", ["</textarea><script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>"]
)
def test_markup_is_escaped(page: RunningPage, hostile: str) -> None:
    for manifest in (hostile, POD.replace("clean-ci", json.dumps(hostile))):
        response = page.explain(manifest)

        assert textarea(response) == manifest
        assert "<script" not in response.text
        assert "<img" not in response.text
    response = page.explain(POD, namespace=hostile)
    assert response.status_code == 422
    assert "<img" not in response.text
    assert "The namespace is not a valid name" in text_of(response)


def test_errors_show_line_and_column_and_keep_the_text(page: RunningPage) -> None:
    broken = POD.replace("  name: clean-ci", "  name: clean-ci\n   labels: {a: b}")

    response = page.explain(broken)

    assert response.status_code == 422
    text = text_of(response)
    assert "line 5, column 10: mapping values are not allowed" in text
    assert "5 labels: {a: b} ^ 6" in text
    assert textarea(response) == broken


HEAVY = "---\n".join(["x: &a [" + "1," * 90 + "]\ny: [" + "*a," * 900 + "]\n"] * 250)


def test_memory_is_bounded_and_others_are_answered_meanwhile(page: RunningPage) -> None:
    """Each document is within its bounds; together they are not."""
    with ThreadPoolExecutor() as pool:
        heavy = pool.submit(page.explain, HEAVY)
        assert page.client.get("/readyz").text == "ok\n"
        assert page.explain(POD).status_code == 200
        response = heavy.result()

    assert response.status_code == 422
    assert "takes more time or memory than this page allows" in text_of(response)


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 10_000_000])
def test_large_texts_get_an_error_page(page: RunningPage, size: int) -> None:
    started = time.monotonic()

    response = page.explain("x" * size)

    assert response.status_code == 413
    assert "The text is too large (accepted: at most 1 MiB)." in text_of(response)
    assert time.monotonic() - started < 30


LONG = json.dumps("x" * 900_000)


@pytest.mark.parametrize(
    "text",
    [
        POD.replace("clean-ci", LONG),
        POD.replace("clean-ci", f"a, namespace: {LONG}").replace("  name: a,", "  name: a\n "),
        POD.replace('dind.io/inject: "true"', f"dind.io/inject: {LONG}"),
        POD.replace("annotations:", f"annotations:\n    dind.io/profile: {LONG}"),
        POD.replace("docker:29-cli", f"{'x' * 900_000}"),
        f"apiVersion: v1\nkind: {LONG}\n",
        f"apiVersion: {LONG}\nkind: Pod\n",
        LONG,
    ],
    ids=["name", "namespace", "opt-in", "profile", "image", "kind", "version", "text"],
)
def test_long_values_are_written_once(page: RunningPage, text: str) -> None:
    """In the form, so that they can be corrected."""
    response = page.explain(text)

    assert response.text.count("x" * 900_000) == 1
    assert len(response.content) < 1_000_000


def test_a_long_namespace_is_cut(page: RunningPage) -> None:
    response = page.explain(POD, namespace="x" * 900_000)

    assert response.status_code == 422
    assert len(response.content) < 20_000


def test_large_bodies_without_a_length_get_an_error_page(page: RunningPage) -> None:
    response = page.client.post(
        "/",
        content=iter([b"manifest=", *[b"x" * 65536] * 60]),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )

    assert response.status_code == 413


@pytest.mark.parametrize("body", [b"manifest=%ff%fe", b"manifest=\xff\xfe"])
def test_other_encodings_are_rejected(page: RunningPage, body: bytes) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}

    response = page.client.post("/", content=body, headers=headers)

    assert response.status_code == 400
    assert "The text is not UTF-8" in text_of(response)


def test_other_forms_are_rejected(page: RunningPage) -> None:
    assert page.client.post("/", json={}).status_code == 415
    assert page.client.post("/", data={"label": "maybe"}).status_code == 400
    assert page.client.post("/", data={f"f{i}": "" for i in range(20)}).status_code == 400
    assert page.client.get("/nowhere").status_code == 404
    assert page.client.delete("/").status_code == 405


def test_nothing_pasted_is_logged(page: RunningPage) -> None:
    secret = "s3cret-5d1b"
    for manifest in (POD.replace("clean-ci", secret), f"{secret}: [", f"{secret}: \0"):
        page.explain(manifest, namespace="default")
    page.explain(POD, namespace=f"{secret}!")

    assert len(page.events("explained")) >= 4
    assert secret not in page.process.log.read_text()


def test_a_changed_configuration_file_takes_effect(tmp_path: Path) -> None:
    mounted = MountedDirectory(tmp_path / "config", {"config.yaml": b"{}\n"})
    with running_page(tmp_path, "--config", mounted.path / "config.yaml") as page:
        assert "+    image: docker:29-dind" in diff(page.explain(POD))
        mounted.show({"config.yaml": b"profiles: {default: {image: 'docker:28'}}\n"})
        until(lambda: bool(page.events("configuration reloaded")), "the new configuration")
        assert "+    image: docker:28" in diff(page.explain(POD))
        mounted.show({"config.yaml": b"profile: {}\n"})
        event = "configuration not reloaded, the last valid one stays"
        until(lambda: bool(page.events(event)), "the rejection of the configuration")
        assert "+    image: docker:28" in diff(page.explain(POD))


def test_an_invalid_configuration_file_ends_the_start(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("profile: {}\n")

    result = run("explain-page", "--config", file)

    assert result.exit_code == 78
    assert "profile: unknown key" in result.stderr


def test_a_stopping_page_answers_and_then_exits(tmp_path: Path) -> None:
    with running_page(tmp_path, "--quiet-period", "3") as page:
        os.kill(page.process.pid, signal.SIGTERM)
        until(lambda: bool(page.events("stopping")), "the page to stop")
        assert page.client.get("/readyz").status_code == 503
        assert page.client.get("/healthz").status_code == 200
        assert page.explain(POD).status_code == 200
        assert page.process.wait(60) == 0


def test_texts_of_clients_that_disconnect_are_given_up(tmp_path: Path) -> None:
    with running_page(tmp_path) as page:
        for _ in range(10):
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(page.url, data={"manifest": HEAVY}, timeout=0.3, trust_env=False)
        assert page.explain(POD).status_code == 200


def test_a_text_that_is_explained_when_the_page_stops_is_answered(tmp_path: Path) -> None:
    """It takes longer than requests of the webhook have."""
    with running_page(tmp_path) as page, ThreadPoolExecutor() as pool:
        answers = [pool.submit(page.explain, HEAVY) for _ in range(2)]
        until(lambda: len(workers_of(page)) == 2, "the workers")
        os.kill(page.process.pid, signal.SIGTERM)
        assert [answer.result().status_code for answer in answers] == [422] * 2
        assert page.process.wait(60) == 0


def test_a_second_signal_ends_the_page_and_its_workers(tmp_path: Path) -> None:
    with running_page(tmp_path) as page, ThreadPoolExecutor() as pool:
        answers = [pool.submit(page.explain, HEAVY) for _ in range(10)]
        until(lambda: len(workers_of(page)) == 2, "the workers")
        workers = workers_of(page)
        os.kill(page.process.pid, signal.SIGTERM)
        until(lambda: bool(page.events("stopping")), "the page to stop")
        os.kill(page.process.pid, signal.SIGTERM)
        started = time.monotonic()
        assert page.process.wait(60) == 0
        assert time.monotonic() - started < 3
        assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
        for answer in answers:
            with pytest.raises(httpx.TransportError):
                answer.result()
    assert not page.events("Exception in ASGI application\n")


def workers_of(page: RunningPage) -> list[str]:
    """Process ids of the workers that run."""
    pid = page.process.pid
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
