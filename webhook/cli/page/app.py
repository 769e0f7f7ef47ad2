"""The page's application: a form, and its result as HTML, without scripts."""

import asyncio
import base64
import hashlib
import time
from collections.abc import Callable, Coroutine, Sequence
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Lifespan

from webhook import __version__
from webhook.cli.page.evaluation import Answer, Problem, Question
from webhook.cli.page.form import (
    BODY_LIMIT,
    TEXT_LIMIT,
    TOO_LARGE,
    Form,
    FormError,
    parse_form,
    problem_of,
)
from webhook.cli.page.workers import BusyError, WorkerError, Workers
from webhook.serving.app import plain_fastapi
from webhook.serving.service import Service

_CSS: Final = (files(__package__) / "page.css").read_text(encoding="utf-8")
_CSS_HASH: Final = base64.b64encode(hashlib.sha256(_CSS.encode()).digest()).decode()
#: Of every answer.
HEADERS: Final = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_CSS_HASH}'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_LONGEST_EXCERPT: Final = 160  # characters of a line
_LONGEST_NAMESPACE: Final = 100  # characters of an invalid one that the form repeats
_BUSY: Final = "Too many texts are being explained at the moment. Try again in a few seconds."
_INTERNAL: Final = "Internal error. The log of the page shows more."


class Settings(Struct, frozen=True):
    """What the page knows about the webhook."""

    excluded: Sequence[str]
    config: Callable[[], bytes | None]  # content of the configuration file in use


class _Excerpt(Struct, frozen=True):
    """Numbered lines of the pasted text around a problem, with the line of the problem marked."""

    lines: Sequence[tuple[int, str]]
    marked: int
    caret: str


def create_page_app(
    service: Service,
    workers: Workers,
    settings: Settings,
    lifespan: Lifespan[FastAPI] | None = None,
) -> FastAPI:
    """Make the application.

    Args:
        service: provides the log, and tells when the process is about to stop.
        workers: answer questions.
        settings: what is assumed about the cluster.
        lifespan: runs while the application does.
    """
    app = plain_fastapi("dind-webhook explain page", lifespan)

    @app.api_route("/", methods=["GET", "HEAD"])
    async def show() -> Response:
        return _page(Form())

    @app.post("/")
    async def explain(request: Request) -> Response:
        started = service.last_request = time.perf_counter()
        form = parse_form(request.headers.get("content-type", ""), await _body(request))
        response = await _explained(request, form, workers, settings)
        service.log.info(
            "explained",
            status=response.status_code,
            characters=len(form.text),
            duration_ms=round((time.perf_counter() - started) * 1000),
        )
        return response

    @app.get("/healthz")
    async def healthz() -> Response:
        return PlainTextResponse("ok\n")

    @app.get("/readyz")
    async def readyz() -> Response:
        if service.draining:
            return PlainTextResponse("stopping\n", HTTPStatus.SERVICE_UNAVAILABLE)
        return PlainTextResponse("ok\n")

    _add_error_handlers(app)
    return app


async def _body(request: Request) -> bytes:
    """Read at most `BODY_LIMIT` bytes of the body; FastAPI's own limit would not return a page.

    Raises:
        FormError: it is too large.
    """
    length = request.headers.get("content-length", "0")
    body = bytearray()
    if int(length) <= BODY_LIMIT:  # uvicorn accepts only digits
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_LIMIT:
                break
        else:
            return bytes(body)
    raise FormError(TOO_LARGE, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


async def _explained(
    request: Request, form: Form, workers: Workers, settings: Settings
) -> Response:
    if len(form.text.encode()) > TEXT_LIMIT:
        return _page(Form(), HTTPStatus.REQUEST_ENTITY_TOO_LARGE, error=TOO_LARGE)
    if namespace_error := problem_of(form):
        form = msgspec.structs.replace(form, namespace=form.namespace[:_LONGEST_NAMESPACE])
        return _page(form, HTTPStatus.UNPROCESSABLE_ENTITY, namespace_error=namespace_error)
    if not form.text.strip():
        problem = Problem("the text is empty")
        return _page(form, HTTPStatus.UNPROCESSABLE_ENTITY, answer=Answer(problem=problem))
    question = Question(
        form.text,
        None if form.label == "unset" else form.label,
        form.namespace or "default",
        settings.excluded,
        settings.config(),
    )
    try:
        answer = await _unless_disconnected(request, workers.answer(question))
    except BusyError:
        response = _page(form, HTTPStatus.SERVICE_UNAVAILABLE, error=_BUSY)
        response.headers["retry-after"] = "5"
        return response
    except WorkerError:
        return _page(form, HTTPStatus.INTERNAL_SERVER_ERROR, error=_INTERNAL)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if answer.problem else HTTPStatus.OK
    return _page(form, status, answer=answer)


async def _unless_disconnected(request: Request, answering: Coroutine[Any, Any, Answer]) -> Answer:
    """Wait for an answer that is given up where the client does not wait for it.

    Raises:
        ClientDisconnect: the client is gone.
    """
    task = asyncio.create_task(answering)
    leaving = asyncio.create_task(_disconnected(request))
    leaving.add_done_callback(lambda _: task.cancel())
    try:
        return await task
    except asyncio.CancelledError:
        if leaving.done():
            raise ClientDisconnect from None
        raise
    finally:
        leaving.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _add_error_handlers(app: FastAPI) -> None:
    @app.exception_handler(FormError)
    async def form_error(_request: Request, error: FormError) -> Response:
        return _page(Form(), error.status, error=str(error))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        message = "This page does not exist. Use the form below."
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            message = f"The method must be GET or POST, not {request.method}."
        response = _page(Form(), error.status_code, error=message)
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(ClientDisconnect)
    async def disconnected(_request: Request, _error: ClientDisconnect) -> Response:
        return Response()  # uvicorn sends nothing to a client that is gone

    @app.exception_handler(Exception)
    async def internal_error(_request: Request, _error: Exception) -> Response:
        response = _page(Form(), HTTPStatus.INTERNAL_SERVER_ERROR, error=_INTERNAL)
        response.headers["connection"] = "close"
        return response


def _page(
    form: Form,
    status: int = HTTPStatus.OK,
    *,
    answer: Answer | None = None,
    error: str = "",
    namespace_error: str = "",
) -> HTMLResponse:
    """Write the page: the result of a text, if there is one, and the form."""
    problem = answer.problem if answer else None
    html = _TEMPLATE.render(
        form=form,
        answer=answer,
        error=error,
        namespace_error=namespace_error,
        excerpt=_excerpt(form.text, problem) if problem else None,
        summary=_summary(answer) if answer else "",
        css=_CSS,
        version=__version__,
    )
    return HTMLResponse(html, status)


def _summary(answer: Answer) -> str:
    """Say what happens to the pods, in one line."""
    outcomes = [pod.outcome for section in answer.sections for pod in section.pods]
    if len(outcomes) == 1:
        return outcomes[0].capitalize()
    counted = [
        f"{outcomes.count(outcome)} {outcome}"
        for outcome in ("injected", "skipped", "denied")
        if outcome in outcomes
    ]
    return f"{len(outcomes)} pods: {', '.join(counted)}"


def _excerpt(text: str, problem: Problem) -> _Excerpt | None:
    """Cut the lines around a problem out of the text."""
    lines = text.split("\n")
    if problem.line is None or problem.line > len(lines):
        return None
    first = max(problem.line - 3, 0)
    begin = max(problem.column - _LONGEST_EXCERPT // 2, 0)
    cut = slice(begin, begin + _LONGEST_EXCERPT)
    above = lines[problem.line - 1][begin : problem.column - 1]
    caret = "".join(c if c == "\t" else " " for c in above) + "^"
    shown = enumerate(lines[first : problem.line + 2], first + 1)
    return _Excerpt([(number, line[cut]) for number, line in shown], problem.line, caret)


def _diff_kind(line: str) -> str:
    """Return the class of a line of a unified diff."""
    return {"+": "added", "-": "removed", "@": "hunk"}.get(line[:1], "same")


def _environment() -> Any:  # noqa: ANN401 - untyped in use
    environment = Environment(
        loader=PackageLoader(__package__, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["diff_kind"] = _diff_kind
    return environment


_TEMPLATE: Final = _environment().get_template("page.html")
