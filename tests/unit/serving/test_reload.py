import asyncio
from collections.abc import Callable, Iterator

from service.memorylog import MemoryLog

from webhook.config import ConfigError
from webhook.following import Followed
from webhook.serving.metrics import Metrics
from webhook.serving.reload import follow


def followed(
    read: Callable[[], str],
    metrics: Metrics,
    parse: Callable[[str], str] = str,
    apply: Callable[[str], None] = lambda _: None,
) -> Followed[str, str]:
    return Followed(
        "file",
        read=read,
        parse=parse,
        apply=apply,
        content="a",
        results=metrics.configuration_reloads,
    )


def poll(file: Followed[str, str], log: MemoryLog, times: int) -> None:
    for _ in range(times):
        file.poll(log.logger)


def test_only_changes_are_applied(log: MemoryLog) -> None:
    contents: Iterator[str] = iter(["a", "b", "b", "c"])
    applied: list[str] = []
    poll(followed(lambda: next(contents), Metrics(), apply=applied.append), log, 4)
    assert applied == ["b", "c"]


def test_the_content_in_force_is_applied_again_after_a_broken_one(log: MemoryLog) -> None:
    """So that the log shows the end of the trouble."""

    def parse(content: str) -> str:
        if content == "broken":
            raise ConfigError("f", ["broken"])
        return content

    contents = iter(["broken", "broken", "a"])
    metrics = Metrics()
    poll(followed(lambda: next(contents), metrics, parse), log, 3)
    assert [line["event"] for line in log.lines()] == [
        "file not reloaded, the last valid one stays",
        "file reloaded",
    ]
    assert results(metrics) == {"failure": 1, "success": 1}


def test_errors_of_reading_are_logged_once(log: MemoryLog) -> None:
    def read() -> str:
        raise ConfigError("f", ["cannot be read"])

    metrics = Metrics()
    poll(followed(read, metrics), log, 3)
    (line,) = log.lines()
    assert line["event"] == "file not reloaded, the last valid one stays"
    assert line["message"] == "f: cannot be read"
    assert results(metrics) == {"failure": 1, "success": 0}


def results(metrics: Metrics) -> dict[str, float | None]:
    name = "dind_webhook_configuration_reloads_total"
    return {
        result: metrics.registry.get_sample_value(name, {"result": result})
        for result in ("failure", "success")
    }


def test_an_internal_error_in_one_file_does_not_stop_the_others(log: MemoryLog) -> None:
    def fail() -> str:
        raise ZeroDivisionError

    async def scenario() -> None:
        applied, loop = asyncio.Event(), asyncio.get_running_loop()

        def apply(_: str) -> None:
            loop.call_soon_threadsafe(applied.set)

        files = [
            followed(fail, Metrics()),
            followed(lambda: "b", Metrics(), apply=apply),
        ]
        following = asyncio.create_task(follow(files, 0.001, log.logger))
        await applied.wait()
        following.cancel()

    asyncio.run(scenario())
    assert log.lines()[0]["event"] == "internal error while reloading"
    assert "ZeroDivisionError" in log.lines()[0]["exception"]
