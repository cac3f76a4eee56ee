"""Orders to close a user's connections (docs/disconnecting.md), which are checked before anything is sent."""

import json
import unicodedata
import uuid

from .drivers import Route
from .event import MAX_ID_BYTES, Event, check_text

MAX_USER_LENGTH = 255  # characters
MAX_SESSION_BYTES = 255

# Orders do not expire, and survive a restart of the broker.
ROUTE = Route("belfry.disconnect", "", {}, None, 2)


def make(user, session, message_id):
    """Returns the order as an Event. Raises ValueError or TypeError that says what is
    wrong with an argument."""
    if isinstance(user, bool) or not isinstance(user, (int, str)):
        raise TypeError(f"the user is of type {type(user).__name__}, not str or int")
    _check("the user", str(user), 4 * MAX_USER_LENGTH)
    if len(str(user)) > MAX_USER_LENGTH:
        raise ValueError(f"the user has {len(str(user))} characters, allowed are 1 to {MAX_USER_LENGTH}")
    if "*" in str(user):
        raise ValueError("the user holds a star")
    body = {"user": user}
    if session is not None:
        _check("the session", session, MAX_SESSION_BYTES)
        body["session"] = session
    if message_id is None:
        message_id = uuid.uuid4().hex
    check_text("the message id", message_id, MAX_ID_BYTES)
    return Event("", json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8"), message_id, "")


def _check(what, text, most):
    check_text(what, text, most)
    if any(unicodedata.category(c) in ("Cc", "Cf") for c in text):
        raise ValueError(f"{what} holds a control character")
