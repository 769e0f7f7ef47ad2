"""The yardstick: a bare ASGI application on uvicorn and asyncio that sends every body back.

`python -m benchmarks.echo DIRECTORY` serves with the certificate in DIRECTORY on a free port, which
it prints as one line of JSON.
"""

import json
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

import uvicorn

_KEEP_ALIVE_SECONDS = 600  # longer than a connection waits for its next turn


async def echo(_scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
    """The application."""
    chunks = []
    more = True
    while more:
        message = await receive()
        chunks.append(message["body"])
        more = message["more_body"]
    body = b"".join(chunks)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def server_tls(directory: Path) -> ssl.SSLContext:
    """A context with the service's settings."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(directory / "tls.crt", directory / "tls.key")
    return context


def main(directory: Path) -> None:
    """Serve until SIGTERM."""
    config = uvicorn.Config(
        echo,
        loop="asyncio",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        ssl_context_factory=lambda *_: server_tls(directory),
    )
    # asyncio sets TCP_NODELAY only on sockets whose protocol is given.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        print(json.dumps({"webhook": f"127.0.0.1:{listener.getsockname()[1]}"}), flush=True)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
