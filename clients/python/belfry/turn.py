"""Whose turn it is to use the emitter's connection."""

import contextlib
import threading

from .errors import EmitError


class Turn:
    """One thread at a time, and no thread waits longer than its call may take.

    The lock is an RLock because only that knows its owner. A signal may raise
    right after acquire() has returned and before anything could note that it
    did; release() then still knows whether there is something to release.
    """

    def __init__(self):
        self._lock = threading.RLock()
        self._owner = None

    @contextlib.contextmanager
    def held(self, until):
        """Raises EmitError, before anything was sent, when the turn does not come."""
        if self._owner == threading.get_ident():
            raise EmitError("an emit began inside another of the same thread and emitter, "
                            "in a logging or signal handler perhaps: give that an Emitter of its own")
        try:
            if not self._lock.acquire(timeout=until.left()):
                raise EmitError("other threads used the connection for all the time of this call: nothing was sent")
            self._owner = threading.get_ident()
            yield
        finally:
            if self._owner == threading.get_ident():
                self._owner = None
            with contextlib.suppress(RuntimeError):  # it was not acquired
                self._lock.release()
