"""The emitter: one connection per process, used under a lock."""

import json
import logging
import os
import threading
import time
import uuid
import weakref

from .drivers import open_driver
from .errors import EmitError, LinkLost
from .groups import MAX_PAYLOAD_BYTES, check_group, shard_of

log = logging.getLogger("belfry")

_emitters = weakref.WeakSet()


class Emitter:
    """Emits events through RabbitMQ, confirmed.

    url: the broker, default BELFRY_AMQP_URL or amqp://guest:guest@127.0.0.1:5672/
    shards: the workers' BELFRY_SHARDS, default that variable or 1
    expiration: seconds after which an undelivered event is given up (a gap is
        declared for its group), default 60
    timeout: seconds that one call may take at most, default 5
    raise_errors: raise EmitError instead of logging and counting
    driver: "pika" or "kombu"; default whichever is installed, pika first

    All methods may be called from any thread. After a fork the child opens a
    connection of its own and leaves the parent's alone.
    """

    def __init__(self, url=None, shards=None, expiration=60.0, timeout=5.0,
                 raise_errors=False, persistent=False, driver=None):
        self.url = url or os.environ.get("BELFRY_AMQP_URL") or "amqp://guest:guest@127.0.0.1:5672/"
        self.shards = int(shards or os.environ.get("BELFRY_SHARDS") or 1)
        self.expiration = expiration
        self.timeout = timeout
        self.raise_errors = raise_errors
        self.persistent = persistent
        self.driver_name = driver
        self.emitted = 0
        self.failed = 0
        self._lock = threading.Lock()
        self._driver = None
        self._inherited = None
        self._pid = None
        _emitters.add(self)

    def emit(self, group, payload, message_id=None):
        """Emits one event and returns True when the broker confirmed it.

        payload is a JSON-serialisable object, or the JSON text itself as bytes,
        which browsers then get byte for byte.
        """
        try:
            check_group(group)
            body = payload if isinstance(payload, bytes) else json.dumps(payload).encode("utf-8")
            if not 0 < len(body) <= MAX_PAYLOAD_BYTES:
                raise ValueError(f"the payload has {len(body)} bytes, allowed are 1 to {MAX_PAYLOAD_BYTES}")
            json.loads(body)
            with self._lock:
                self._publish(group, body, message_id or uuid.uuid4().hex)
        except Exception as err:  # noqa: BLE001 - a notification must not break the business
            self.failed += 1
            if self.raise_errors:
                raise
            log.warning("event for group %s was not emitted: %s", group, err)
            return False
        self.emitted += 1
        return True

    def close(self):
        """Closes the connection. The next emit opens another."""
        with self._lock:
            self._drop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _publish(self, group, body, message_id):
        """Publishes, and again with the same id when the link was lost."""
        deadline = time.monotonic() + self.timeout
        pause = 0.05
        while True:
            try:
                if self._driver is None or self._pid != os.getpid():
                    self._driver = open_driver(self.driver_name, self.url, self._left(deadline))
                    self._pid = os.getpid()
                self._driver.publish(
                    exchange="belfry.emit" if self.shards == 1 else f"belfry.emit.v1.n{self.shards}",
                    key=group if self.shards == 1 else str(shard_of(group, self.shards)),
                    headers={} if self.shards == 1 else {"group": group},
                    body=body, message_id=message_id,
                    expiration_ms=int(self.expiration * 1000), persistent=self.persistent,
                )
                return
            except LinkLost:
                self._drop()
                if time.monotonic() + pause >= deadline:
                    raise
                time.sleep(pause)
                pause = min(pause * 2, 1.0)
            except EmitError:
                self._drop()
                raise

    def _left(self, deadline):
        return max(deadline - time.monotonic(), 0.1)

    def _drop(self):
        driver, self._driver = self._driver, None
        if driver is not None and self._pid == os.getpid():
            driver.close()

    def _after_fork(self):
        self._lock = threading.Lock()
        self._inherited, self._driver = self._driver, None


_default = None
_default_lock = threading.Lock()


def configure(**options):
    """Sets the options of the emitter behind emit_channel_notification."""
    global _default
    with _default_lock:
        if _default is not None:
            _default.close()
        _default = Emitter(**options)
        return _default


def emit_channel_notification(group, payload):
    """Tower's own call: emits one event to a group. Returns True when confirmed."""
    global _default
    with _default_lock:
        if _default is None:
            _default = Emitter()
        emitter = _default
    return emitter.emit(group, payload)


def _after_fork_in_child():
    # The parent's connections must be neither used nor closed here (they are
    # kept, so that no destructor closes them), and its locks may have been held
    # by threads that do not exist here.
    global _default_lock
    _default_lock = threading.Lock()
    for emitter in list(_emitters):
        emitter._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
