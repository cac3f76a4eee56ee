"""Emit events to the browsers that watch for them, from any Python backend.

    from belfry import emit_channel_notification
    emit_channel_notification("jobs-status_changed", {"unified_job_id": 42, "status": "running"})

The call is synchronous, may be made from any thread and after a fork, and never
raises into its caller: what could not be emitted is logged and counted. Use
``Emitter(raise_errors=True)`` where the caller wants to know.
"""

from .emitter import Emitter, configure, emit_channel_notification
from .errors import EmitError, LinkLost, Refused, Unroutable
from .groups import shard_of

__all__ = [
    "EmitError", "Emitter", "LinkLost", "Refused", "Unroutable",
    "configure", "emit_channel_notification", "shard_of",
]
__version__ = "0.1.0"
