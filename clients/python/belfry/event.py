"""Events, which are checked before anything is sent."""

import typing
import uuid

from . import payloads
from .groups import check_group

MAX_PAYLOAD_BYTES = 1 << 20
MAX_ID_BYTES = 200
MAX_TRACEPARENT_BYTES = 128


class Event(typing.NamedTuple):
    group: str
    body: bytes
    message_id: str
    traceparent: str  # empty: none


def make(group, payload, message_id, traceparent, form):
    """Returns the Event. form encodes objects (payloads.Form). Raises ValueError or
    TypeError that says what is wrong with an argument."""
    check_group(group)
    body = payloads.raw(payload) if isinstance(payload, (bytes, bytearray, memoryview)) else form.encode(payload)
    if len(body) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"the payload has {len(body)} bytes, allowed are {MAX_PAYLOAD_BYTES}")
    if message_id is None:
        message_id = uuid.uuid4().hex
    check_text("the message id", message_id, MAX_ID_BYTES)
    if traceparent:
        check_text("the traceparent", traceparent, MAX_TRACEPARENT_BYTES)
    return Event(group, body, message_id, traceparent or "")


def check_text(what, text, most):
    if not isinstance(text, str):
        raise TypeError(f"{what} is of type {type(text).__name__}, not str")
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise ValueError(f"{what} is not UTF-8") from None
    if not 1 <= size <= most:
        raise ValueError(f"{what} has {size} bytes, allowed are 1 to {most}")
