"""Emit events to the browsers that watch for them, from any Python backend.

    from belfry import emit_channel_notification
    emit_channel_notification("jobs-status_changed", {"unified_job_id": 42, "status": "running"})

The call is synchronous, may be made from any thread and after a fork, takes at
most its timeout, and raises nothing that is about the event: what could not be
emitted is logged and counted. Use ``Emitter(raise_errors=True)`` where the
caller wants to know.
"""

from .emitter import Emitter
from .errors import AccessRefused, Blocked, EmitError, LinkLost, Refused, Unroutable
from .groups import shard_of
from .notification import configure, default_emitter, disconnect_user, emit_channel_notification

__all__ = [
    "AccessRefused", "Blocked", "EmitError", "Emitter", "LinkLost", "Refused", "Unroutable",
    "configure", "default_emitter", "disconnect_user", "emit_channel_notification", "shard_of",
]
__version__ = "0.1.0"
