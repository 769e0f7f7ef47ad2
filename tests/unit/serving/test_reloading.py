import asyncio
from collections.abc import Callable, Iterator

from service.memorylog import MemoryLog
from webhook.serving.reloading import Followed, follow

from webhook.config import ConfigError
from webhook.serving.metrics import Metrics


def followed(
    read: Callable[[], str],
    metrics: Metrics,
    make: Callable[[str], str] = str,
    take: Callable[[str], None] = lambda _: None,
) -> Followed[str, str]:
    return Followed(
        "thing", read=read, make=make, take=take, first="a", results=metrics.configuration_reloads
    )


def look(one: Followed[str, str], log: MemoryLog, times: int) -> None:
    async def scenario() -> None:
        for _ in range(times):
            await one.look(log.logger)

    asyncio.run(scenario())


def test_only_a_change_is_taken(log: MemoryLog) -> None:
    contents: Iterator[str] = iter(["a", "b", "b", "c"])
    taken: list[str] = []
    look(followed(lambda: next(contents), Metrics(), take=taken.append), log, 4)
    assert taken == ["b", "c"]


def test_a_return_to_the_content_in_use_is_a_change_too(log: MemoryLog) -> None:
    """After a broken file, the good one again: the log tells that all is well."""

    def make(content: str) -> str:
        if content == "broken":
            raise ConfigError("f", ["broken"])
        return content

    contents = iter(["broken", "broken", "a"])
    metrics = Metrics()
    look(followed(lambda: next(contents), metrics, make), log, 3)
    assert [line["event"] for line in log.lines()] == [
        "not reloaded, the last good one stays",
        "reloaded",
    ]
    assert b'configuration_reloads_total{result="failure"} 1.0' in metrics.text()
    assert b'configuration_reloads_total{result="success"} 1.0' in metrics.text()


def test_a_bug_in_one_reader_does_not_end_the_following_of_the_other(log: MemoryLog) -> None:
    def buggy() -> str:
        raise ZeroDivisionError

    async def scenario() -> None:
        taken = asyncio.Event()
        good = followed(lambda: "b", Metrics(), take=lambda _: taken.set())
        following = asyncio.create_task(
            follow([followed(buggy, Metrics()), good], 0.001, log.logger)
        )
        await taken.wait()
        following.cancel()

    asyncio.run(scenario())
    assert "ZeroDivisionError" in log.lines()[0]["exception"]
