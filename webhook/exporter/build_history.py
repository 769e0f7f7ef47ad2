"""The daemon's finished builds, from the history that its BuildKit keeps.

dockerd's own metrics (--metrics-addr) count only builds without BuildKit, and no cache hits. Since
Docker 29, dockerd serves gRPC on its socket; before, clients had to use the endpoint /grpc.
Source: moby/buildkit, api/services/control/control.proto.
"""

from collections.abc import Iterator
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import Struct

_METHOD = "/moby.buildkit.v1.Control/ListenBuildHistory"
_ALL = b""  # a BuildHistoryRequest without fields: past and future builds
_COMPLETE = 1
_OPTIONS = (("grpc.max_receive_message_length", 16 * 1024 * 1024),)
# The fields that are read, as in control.proto: name, number, type. Others are skipped.
_MESSAGES = {
    "BuildHistoryEvent": (("type", 1, "int32"), ("record", 2, ".dind.BuildHistoryRecord")),
    "BuildHistoryRecord": (
        ("ref", 1, "string"),
        ("error", 5, "bytes"),
        ("created_at", 6, ".google.protobuf.Timestamp"),
        ("completed_at", 7, ".google.protobuf.Timestamp"),
        ("cached_steps", 15, "int32"),
        ("total_steps", 16, "int32"),
    ),
}


class HistoryError(Exception):
    """The daemon does not answer, or has no build history."""


class Build(Struct, frozen=True):
    """A build that has ended.

    Attributes:
        ref: the ID that BuildKit gave it.
        succeeded: whether it has a result; a cancelled build has none.
        completed: when it ended, in nanoseconds since 1970.
        seconds: its duration.
        steps: as BuildKit counts them, including those that load the context.
        cached_steps: the steps whose result was in the build cache.
    """

    ref: str
    succeeded: bool
    completed: int
    seconds: float
    steps: int
    cached_steps: int


def finished_builds(path: str) -> Iterator[Build]:
    """Yield the builds in the history, then others as they end; a build may be yielded repeatedly.

    Args:
        path: of the daemon's socket.

    Raises:
        HistoryError: the daemon does not answer, or has closed the connection.
    """
    with grpc.insecure_channel(f"unix:{path}", options=_OPTIONS) as channel:
        listen = channel.unary_stream(_METHOD)
        try:
            for message in listen(_ALL):
                event = _EVENT.FromString(message)
                if event.type == _COMPLETE and event.record.HasField("completed_at"):
                    yield _build(event.record)
        except grpc.RpcError as error:
            raise HistoryError(f"{error.code().name}: {error.details()}") from error
        except DecodeError as error:
            raise HistoryError(f"not a build history: {error}") from error
    raise HistoryError("the daemon has closed the connection")


def _build(record: Any) -> Build:  # noqa: ANN401 - a class that protobuf makes
    created, completed = record.created_at.ToNanoseconds(), record.completed_at.ToNanoseconds()
    return Build(
        ref=record.ref,
        succeeded=not record.HasField("error"),
        completed=completed,
        seconds=max(completed - created, 0) / 10**9,
        steps=record.total_steps,
        cached_steps=record.cached_steps,
    )


def _event_class() -> Any:  # noqa: ANN401 - see above
    """Make the class of a BuildHistoryEvent, which needs no generated code."""
    file = descriptor_pb2.FileDescriptorProto(
        name="dind/build_history.proto",
        package="dind",
        syntax="proto2",
        dependency=[Timestamp.DESCRIPTOR.file.name],
    )
    field_types = descriptor_pb2.FieldDescriptorProto
    for message_name, fields in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for name, number, kind in fields:
            is_message = kind.startswith(".")
            message.field.add(
                name=name,
                number=number,
                label=field_types.LABEL_OPTIONAL,
                type=field_types.TYPE_MESSAGE
                if is_message
                else field_types.Type.Value(f"TYPE_{kind.upper()}"),
                type_name=kind if is_message else None,
            )
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("dind.BuildHistoryEvent"))


_EVENT = _event_class()
