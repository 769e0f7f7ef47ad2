"""The yardstick: a bare uvicorn that sends every body back, with nothing of the service's.

`python -m benchmarks.echo FOLDER` serves with the certificate in FOLDER on a port of the system's
choice, which it prints as one line of JSON.
"""

import json
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

import uvicorn

KEEP_ALIVE_SECONDS = 120  # longer than any measurement pauses


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


def tls(folder: Path) -> ssl.SSLContext:
    """A context like the service's own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return context


def serve(folder: Path) -> None:
    """Serve the echo until SIGTERM.

    Args:
        folder: holds the certificate.
    """
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
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        ssl_context_factory=lambda *_: tls(folder),
    )
    # The protocol is named, because asyncio sets TCP_NODELAY only where it is.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        print(json.dumps({"webhook": f"127.0.0.1:{listener.getsockname()[1]}"}), flush=True)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
