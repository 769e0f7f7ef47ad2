"""Carries connections from the host's loopback to a port in a node's network namespace.

    python relay.py LISTENING_DESCRIPTOR PID ADDRESS PORT

A socket belongs to the namespace in which it was created: the listening one to the host, the
others, created after this process has moved, to the node. So only the host's loopback is used.
"""

import asyncio
import ctypes
import os
import socket
import sys
from contextlib import suppress

_CLONE_NEWNET = 0x40000000


async def _relay(listening: socket.socket, address: str, port: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(address, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        far_writer.close()
        writer.close()

    server = await asyncio.start_server(serve, sock=listening)
    await server.serve_forever()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copies until one side ends or fails, then ends the other side."""
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


def main() -> None:
    """Moves to the namespace and serves until killed."""
    descriptor, pid, address, port = sys.argv[1:]
    listening = socket.socket(fileno=int(descriptor))
    namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "cannot enter the node's network namespace")
    os.close(namespace)
    asyncio.run(_relay(listening, address, int(port)))


if __name__ == "__main__":
    main()
