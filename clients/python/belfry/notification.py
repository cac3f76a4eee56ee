"""Tower's emit_channel_notification, with one emitter for the process."""

from __future__ import annotations

import os
import threading
import typing

from .emitter import Emitter

_default = None
_lock = threading.Lock()


def configure(**options: typing.Any) -> Emitter:
    """Sets the options of the emitter behind emit_channel_notification, and returns it."""
    global _default
    emitter = Emitter(**options)
    with _lock:
        former, _default = _default, emitter
    if former is not None:
        former.close()
    return emitter


def default_emitter() -> Emitter:
    """The emitter behind emit_channel_notification, for its counters and close()."""
    global _default
    with _lock:
        if _default is None:
            _default = Emitter()
        return _default


def emit_channel_notification(group: str, payload: typing.Any, message_id: str | None = None,
                              traceparent: str | None = None) -> bool:
    """Emits one event to a group. Returns True when the broker has confirmed it.

    It does not raise for the event, its arguments or the settings, unless
    configure(raise_errors=True) was called: see Emitter.
    """
    return default_emitter().emit(group, payload, message_id, traceparent)


def disconnect_user(user: str | int, session: str | None = None) -> None:
    """Closes the websocket connections of a user, or of one login session. It raises if
    the broker does not confirm the order: see Emitter.disconnect."""
    default_emitter().disconnect(user, session)


def _after_fork_in_child():
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
