"""Requests that no API server sends, as the chunks in which they are sent."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from service.reviews import review
from service.wire import request

KIB, MIB = 1024, 1024 * 1024
_FILL = b"y" * (64 * KIB)
HEADERS = b"POST /inject/pod HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
_CHUNKED = HEADERS + b"transfer-encoding: chunked\r\n\r\n"
_TRAILED = _CHUNKED + b"1\r\n \r\n0\r\n"
GOOD = request(review())
_SECOND = b"POST /inject/pod HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n"
_HIDDEN = b"0\r\n\r\n" + _SECOND  # a second request, or part of the first one's body

Chunks = Callable[[], Iterator[bytes]]


class Hostile(NamedTuple):
    """A request and its answer.

    Attributes:
        statuses: one of them is the only answer; where there are none, the connection just ends.
        chunks: returns what is sent.
        tls: whether it is sent over TLS.
    """

    statuses: tuple[int, ...]
    chunks: Chunks
    tls: bool = True


def _filled(front: bytes, size: int) -> Chunks:
    """A beginning, then so many bytes of filling."""

    def chunks() -> Iterator[bytes]:
        yield front
        for _ in range(size // len(_FILL)):
            yield _FILL

    return chunks


def _repeated(front: bytes, piece: bytes, size: int) -> Chunks:
    """A beginning, then so many bytes of one repeated piece; each chunk has several pieces."""

    def chunks() -> Iterator[bytes]:
        if front:
            yield front
        together = piece * max(1, 64 * KIB // len(piece))
        for _ in range(size // len(together)):
            yield together

    return chunks


def _whole(*parts: bytes) -> Chunks:
    return lambda: iter(parts)


def _version(line: bytes) -> Chunks:
    return _whole(GOOD.replace(b"HTTP/1.1", line))


OVERSIZED_HEADERS = {
    "a header of 64 KiB": Hostile((431,), _filled(HEADERS + b"x: ", 64 * KIB)),
    "a header of 64 MiB": Hostile((431,), _filled(HEADERS + b"x: ", 64 * MIB)),
    "64 KiB of headers": Hostile((431,), _repeated(HEADERS, b"x: y\r\n", 64 * KIB)),
    "64 MiB of headers": Hostile((431,), _repeated(HEADERS, b"x: y\r\n", 64 * MIB)),
    "a path of 64 MiB": Hostile((431,), _filled(b"POST /", 64 * MIB)),
    "64 MiB of empty lines": Hostile((431,), _repeated(b"", b"\r\n", 64 * MIB)),
    "64 MiB of trailers": Hostile(
        (413, 431),
        _repeated(_TRAILED, b"x: " + _FILL[:997] + b"\r\n", 64 * MIB),
    ),
    "a trailer of 64 MiB": Hostile((413, 431), _filled(_TRAILED + b"x: ", 64 * MIB)),
}
BODIES = {
    "7 MiB and a byte, declared": Hostile(
        (413,), _whole(HEADERS + b"content-length: 7340033\r\n\r\n")
    ),
    "64 MiB, declared and sent": Hostile(
        (413,), _filled(HEADERS + b"content-length: 67108864\r\n\r\n", 64 * MIB)
    ),
    "64 MiB, declared with Expect": Hostile(
        (413,), _whole(HEADERS + b"expect: 100-continue\r\ncontent-length: 67108864\r\n\r\n")
    ),
    "16 EiB, declared": Hostile(
        (413,), _whole(HEADERS + b"content-length: 18446744073709551615\r\n\r\n")
    ),
    "more than 64 bits, declared": Hostile(
        (400, 413), _whole(HEADERS + b"content-length: 99999999999999999999\r\n\r\n")
    ),
    "chunks without end": Hostile(
        (413, 503), _repeated(_CHUNKED, b"10000\r\n" + _FILL + b"\r\n", 256 * MIB)
    ),
    "chunks of a byte without end": Hostile(
        (413, 431), _repeated(_CHUNKED, b"1\r\n \r\n", 256 * MIB)
    ),
    "a chunk's extension without end": Hostile((413, 431), _filled(_CHUNKED + b"1;x=", 256 * MIB)),
}
LENGTHS = {
    "negative": Hostile((400,), _whole(HEADERS + b"content-length: -1\r\n\r\n")),
    "a word": Hostile((400,), _whole(HEADERS + b"content-length: two\r\n\r\n{}")),
    "a list": Hostile((400,), _whole(HEADERS + b"content-length: 2, 2\r\n\r\n{}")),
    "two that differ": Hostile(
        (400,), _whole(HEADERS + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{} ")
    ),
    "length and chunks": Hostile(
        (400,),
        _whole(HEADERS + b"content-length: 69\r\ntransfer-encoding: chunked\r\n\r\n" + _HIDDEN),
    ),
    "chunks and length": Hostile(
        (400,),
        _whole(HEADERS + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n" + _HIDDEN),
    ),
    "chunks, then not": Hostile(
        (400,),
        _whole(
            HEADERS + b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n" + _HIDDEN
        ),
    ),
    "an unknown coding": Hostile(
        (400, 501), _whole(HEADERS + b"transfer-encoding: xchunked\r\n\r\n" + _HIDDEN)
    ),
    "a space before the colon": Hostile(
        (400,), _whole(HEADERS + b"transfer-encoding : chunked\r\n\r\n" + _HIDDEN)
    ),
    "a chunk of negative size": Hostile((400,), _whole(_CHUNKED + b"-1\r\n")),
    "a chunk over 64 bits": Hostile((400, 413), _whole(_CHUNKED + b"f" * 18 + b"\r\n")),
}
SYNTAX = {
    "a folded header": Hostile((400,), _whole(HEADERS + b"x: a\r\n b\r\n\r\n")),
    "a NUL in a header": Hostile((400,), _whole(HEADERS + b"x: a\0b\r\n\r\n")),
    "lines without CR": Hostile((400,), _whole(GOOD.replace(b"\r\n", b"\n"))),
    "a path without a slash": Hostile((400,), _whole(GOOD.replace(b"/inject", b"inject"))),
    "a byte over 127 in the path": Hostile((400,), _whole(GOOD.replace(b"/pod", b"/p\xe9d"))),
    "CONNECT": Hostile((400, 405), _whole(b"CONNECT h:443 HTTP/1.1\r\nhost: h:443\r\n\r\n")),
}
PREAMBLES = {
    "HTTP/0.9": Hostile((400, 415, 505), _whole(b"POST /inject/pod\r\n\r\n")),
    "HTTP/0.9, spelled out": Hostile((400, 505), _version(b"HTTP/0.9")),
    "HTTP/1.2": Hostile((400, 505), _version(b"HTTP/1.2")),
    "HTTP/2.0 in a request line": Hostile((400, 505), _version(b"HTTP/2.0")),
    "HTTP/2": Hostile(
        (400, 505), _whole(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
    ),
    "HTTP/3": Hostile((400, 505), _version(b"HTTP/3")),
    "TLS inside TLS": Hostile((400,), _whole(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00")),
}
BEFORE_TLS = {
    "HTTP": Hostile((), _whole(GOOD), tls=False),
    "SSH": Hostile((), _whole(b"SSH-2.0-OpenSSH_9.9\r\n"), tls=False),
    "SSL 2.0": Hostile(
        (), _whole(b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + b"\1" * 37), tls=False
    ),
    "64 MiB of noise": Hostile((), _filled(b"\x00", 64 * MIB), tls=False),
    "a record of the wrong kind": Hostile(
        (), _filled(b"\x17\x03\x03\x40\x00", 64 * MIB), tls=False
    ),
    "records without end": Hostile(
        (), _repeated(b"", b"\x16\x03\x01\x40\x00" + b"\x01" * 16384, 64 * MIB), tls=False
    ),
}
