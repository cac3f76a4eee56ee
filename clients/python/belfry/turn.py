"""Whose turn it is to use the emitter's connection."""

import contextlib
import threading

from .errors import EmitError


class Turn:
    """One thread at a time, and no thread waits longer than its call may take.

    The lock is an RLock because only that knows its owner. A signal may raise
    right after acquire() has returned and before anything could note that it
    did; release() then still knows whether there is something to release.

    It is made at the first use. A server that forks and then makes greenlets of
    threads, as gunicorn and uwsgi do with gevent, would otherwise leave here a
    lock for which all greenlets are one thread.
    """

    def __init__(self):
        self._locks = {}  # at most one: setdefault is one step for all threads
        self._owner = None

    @contextlib.contextmanager
    def held(self, until):
        """Raises EmitError, before anything was sent, when the turn does not come."""
        if self._owner == threading.get_ident():
            raise EmitError("an emit began inside another of the same thread and emitter, "
                            "in a logging or signal handler perhaps: give that an Emitter of its own")
        lock = self._locks.get("it") or self._locks.setdefault("it", threading.RLock())
        try:
            if not lock.acquire(timeout=until.left()):
                raise EmitError("other threads used the connection for all the time of this call: nothing was sent")
            self._owner = threading.get_ident()
            yield
        finally:
            if self._owner == threading.get_ident():
                self._owner = None
            with contextlib.suppress(RuntimeError):  # it was not acquired
                lock.release()
