"""Emit events to browsers through Belfry, from any Python backend.

    from belfry import emit_channel_notification
    emit_channel_notification("jobs-status_changed", {"unified_job_id": 42, "status": "running"})

The call is synchronous, may be made from any thread and after a fork, and takes at
most its timeout. It does not raise if the event cannot be emitted; the failure is
logged and counted. Use ``Emitter(raise_errors=True)`` if the caller must know.
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
