"""Runs a limited number of workers at a time, each with a deadline."""

import asyncio
import signal
import sys
from typing import Final

import msgspec

from webhook.cli.page.evaluation import Answer, Question
from webhook.cli.page.worker import TOO_MUCH
from webhook.logs import Logger

RUNNING: Final = 2  # workers at a time; their limits bound the memory of the pod
WAITING: Final = 8  # questions
SECONDS: Final = 20.0  # for a worker; its CPU time has a limit of its own
_LIMITED = (-signal.SIGKILL, -signal.SIGXCPU, -signal.SIGSEGV, -signal.SIGBUS)


class BusyError(Exception):
    """Too many questions are already waiting."""


class WorkerError(Exception):
    """A worker failed, which is a bug in this program."""


class Workers:
    """Answers each question in a process of its own."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._slots = asyncio.Semaphore(RUNNING)
        self._pending = 0

    async def answer(self, question: Question) -> Answer:
        """Answer a question, or say that it takes too much time or memory.

        Raises:
            BusyError: too many questions are already waiting.
            WorkerError: the worker failed.
        """
        if self._pending >= RUNNING + WAITING:
            raise BusyError
        self._pending += 1
        try:
            async with self._slots:
                return await self._run(question)
        finally:
            self._pending -= 1

    async def _run(self, question: Question) -> Answer:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "webhook.cli.page.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # a traceback may quote what was pasted
        )
        try:
            async with asyncio.timeout(SECONDS):
                output, _ = await process.communicate(msgspec.json.encode(question))
        except TimeoutError:
            return TOO_MUCH
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode in _LIMITED:
            return TOO_MUCH
        if process.returncode != 0:
            self._log.error("worker failed", exit_code=process.returncode)
            raise WorkerError
        return msgspec.json.decode(output, type=Answer)
