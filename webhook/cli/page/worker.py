"""Evaluates one question in a process of its own, with limits of CPU time and memory.

It is run as `python -m webhook.cli.page.worker`, reads the question from standard input, and writes
the answer to standard output, both as JSON.
"""

import resource
import sys
from typing import Final

import msgspec

from webhook.cli.page.evaluation import Answer, Problem, Question, evaluate

CPU_SECONDS: Final = 5
MEMORY_BYTES: Final = 256 * 1024 * 1024  # of address space, of which the program needs 45 MiB
# Aliases let fifty pods repeat a long value. The page escapes each `&` as five characters.
LONGEST_ANSWER: Final = 2 * 1024 * 1024  # bytes of JSON

TOO_MUCH: Final = Answer(
    problem=Problem(
        "the text takes more time or memory than this page allows "
        f"(accepted: {CPU_SECONDS} seconds and {MEMORY_BYTES // 1024 // 1024} MiB)",
        "Paste fewer or smaller objects, or use the command: dind-webhook explain -f FILE",
    )
)

TOO_LONG: Final = Answer(
    problem=Problem(
        "the result is longer than this page shows "
        f"(accepted: {LONGEST_ANSWER // 1024 // 1024} MiB)",
        "Paste fewer objects, or use the command: dind-webhook explain -f FILE",
    )
)


def main() -> None:
    """Answer the question on standard input."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would keep what was pasted
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    try:
        answer = msgspec.json.encode(evaluate(question))
        if len(answer) > LONGEST_ANSWER:
            answer = msgspec.json.encode(TOO_LONG)
    except MemoryError:
        answer = msgspec.json.encode(TOO_MUCH)
    sys.stdout.buffer.write(answer)


if __name__ == "__main__":
    main()
