"""The yardstick: a bare uvicorn that sends every body back, under the service's own TLS settings.

`python -m benchmarks.echo FOLDER` serves with the certificate in FOLDER on a port of the system's
choice, which it prints as one line of JSON.
"""

import datetime as dt
import json
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn

from webhook.serving.certificate import context_of, read_pair
from webhook.serving.server import KEEP_ALIVE_SECONDS


async def echo(_scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
    """An ASGI application in as few steps as there can be."""
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


def serve(app: Any, folder: Path) -> None:  # noqa: ANN401 - ASGI
    """Serve an application until SIGTERM.

    Args:
        app: an ASGI application.
        folder: holds the certificate.
    """
    context, _ = context_of(read_pair(folder), dt.datetime.now(dt.UTC))
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        ssl_context_factory=lambda *_: context,
    )
    # The protocol is named, because asyncio sets TCP_NODELAY only where it is.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        print(json.dumps({"webhook": f"127.0.0.1:{listener.getsockname()[1]}"}), flush=True)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    serve(echo, Path(sys.argv[1]))
