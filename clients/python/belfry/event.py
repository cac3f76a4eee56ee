"""An event, checked before anything is sent."""

import json
import typing
import uuid

from .groups import check_group

MAX_PAYLOAD_BYTES = 1 << 20
MAX_ID_BYTES = 200
MAX_TRACEPARENT_BYTES = 128


class Event(typing.NamedTuple):
    group: str
    body: bytes
    message_id: str
    traceparent: str  # empty: none


def make(group, payload, message_id, traceparent):
    """Raises ValueError or TypeError, which say what is wrong with an argument."""
    check_group(group)
    body = raw(payload) if isinstance(payload, (bytes, bytearray, memoryview)) else encode(payload)
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


def encode(payload):
    """JSON as browsers read it (RFC 8259): compact, UTF-8, no NaN and no Infinity."""
    try:
        return json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("the payload is not UTF-8: one of its strings has half of a surrogate pair") from None
    except ValueError as err:
        raise ValueError(f"the payload is not JSON, which has no NaN, no Infinity and no cycles: {err}") from None
    except RecursionError:
        raise ValueError("the payload is nested too deeply") from None


def raw(payload):
    """The JSON text that the caller brings, unchanged, when it is one."""
    body = bytes(payload)
    try:
        # The numbers themselves are not looked at, only what is not a number.
        json.loads(body.decode("utf-8"), parse_int=len, parse_float=len, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise ValueError("the payload is not UTF-8") from None
    except ValueError as err:
        raise ValueError(f"the payload is not JSON: {err}") from None
    except RecursionError:
        raise ValueError("the payload is nested too deeply") from None
    return body


def _no_constant(name):
    raise ValueError(f"{name} is not a JSON number")
