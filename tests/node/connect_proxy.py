"""An HTTP proxy that logs what it is asked for: one line for each request.

    python connect_proxy.py PORT

CONNECT requests open a tunnel. Requests with a whole URL, for plain HTTP, are forwarded one per
connection. It runs as a program in a pod: it imports the standard library only.
"""

import asyncio
import sys
from contextlib import suppress
from urllib.parse import urlsplit


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serves one connection of a client."""
    with suppress(OSError, asyncio.IncompleteReadError):
        head = await reader.readuntil(b"\r\n\r\n")
        line, _, headers = head.partition(b"\r\n")
        method, target, version = line.decode().split()
        _say(f"{method} {target}")
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            first, answer = b"", b"HTTP/1.1 200 Connection established\r\n\r\n"
        else:
            url = urlsplit(target)
            host, port = url.hostname or "", str(url.port or 80)
            path = target.removeprefix(f"{url.scheme}://{url.netloc}") or "/"
            kept = [
                header
                for header in headers.split(b"\r\n")
                if not header.lower().startswith((b"connection:", b"proxy-"))
            ]
            rest = b"\r\n".join([b"Connection: close", *kept])
            first, answer = f"{method} {path} {version}\r\n".encode() + rest, b""
        try:
            far_reader, far_writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except OSError as error:
            _say(f"failed: {target}: {error}")
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
        else:
            far_writer.write(first)
            writer.write(answer)
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
            far_writer.close()
    writer.close()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copies until one side ends or fails, then ends the other side."""
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def main(port: int) -> None:
    """Serves until killed."""
    server = await asyncio.start_server(serve, port=port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
