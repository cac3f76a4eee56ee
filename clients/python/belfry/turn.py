"""The lock of the emitter's connection, with a time limit."""

import contextlib
import threading

from .errors import EmitError


class Turn:
    """Lets one thread at a time use the connection. No thread waits longer than its call
    may take.

    The lock is an RLock because that knows its owner: a signal handler may raise right
    after acquire() has returned, before this class could record it, and release() still
    does the right thing.

    The lock is made at the first use. If a server forks and then replaces threads by
    greenlets, as gunicorn and uwsgi do with gevent, a lock that was made before would
    take all greenlets for the same thread.
    """

    def __init__(self):
        self._locks = {}  # holds at most one lock: dict.setdefault is atomic
        self._owner = None

    @contextlib.contextmanager
    def held(self, until):
        """Holds the lock during the block. Raises EmitError if it is not free in time."""
        if self._owner == threading.get_ident():
            raise EmitError("emit was called during another emit of the same thread and emitter, "
                            "perhaps by a logging or signal handler: use another Emitter there")
        lock = self._locks.get("it") or self._locks.setdefault("it", threading.RLock())
        try:
            if not lock.acquire(timeout=until.left()):
                raise EmitError("other threads used the connection until this call's time was over: nothing was sent")
            self._owner = threading.get_ident()
            yield
        finally:
            if self._owner == threading.get_ident():
                self._owner = None
            with contextlib.suppress(RuntimeError):  # it was not acquired
                lock.release()
