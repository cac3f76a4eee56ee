"""The emitter: one connection per process, used by one thread at a time."""

import logging
import os
import threading
import time
import weakref

from . import event, order, settings
from .deadline import Deadline
from .drivers import Route, open_driver
from .errors import EmitError, LinkLost, Refused, Unroutable, about_event, stumble
from .groups import shard_of
from .turn import Turn

log = logging.getLogger("belfry")

_emitters = weakref.WeakSet()


class Emitter:
    """Emits events through RabbitMQ, confirmed.

    url: the broker, default BELFRY_AMQP_URL or amqp://guest:guest@127.0.0.1:5672/
    shards: the workers' BELFRY_SHARDS, 1 to 256, default that variable or 1
    expiration: seconds after which an undelivered event is given up (a gap is
        declared for its group), default 60
    timeout: seconds that one call may take at most, default 5: waiting for
        other threads, connecting, trying again and the broker's confirm
        together. Only looking up the broker's name has the system's own bound
    raise_errors: raise EmitError, or ValueError and TypeError for bad
        arguments, instead of logging and counting
    persistent: the event survives a restart of the broker, and costs more
    driver: "pika" or "kombu"; default whichever is installed, pika first
    trace: called with the group for each event that brings no traceparent of
        its own; returns the traceparent that travels with it, or None

    Without raise_errors nothing about an event or the settings is raised, also
    not by this constructor: each emit logs what is wrong and returns False.
    Exceptions that are not about the event are never kept back, above all those
    that a signal raises in the middle of a call.

    emitted and failed count the events of this process; a forked child begins
    at 0. All methods may be called from any thread. After a fork the child
    opens a connection of its own and leaves the parent's alone.
    """

    def __init__(self, url=None, shards=None, expiration=60.0, timeout=5.0,
                 raise_errors=False, persistent=False, driver=None, trace=None):
        self.raise_errors = raise_errors
        self.persistent = persistent
        self.emitted = 0
        self.failed = 0
        self._trace = trace
        self._settings = self._problem = None
        self._driver = None
        self._inherited = []  # drivers of the parent, kept so that no destructor ends them
        self._pid = os.getpid()
        self._turn = Turn()
        self._counting = threading.Lock()
        try:
            self._settings = settings.read(url, shards, expiration, timeout, driver)
        except ValueError as err:
            if raise_errors:
                raise
            self._problem = str(err)
        _emitters.add(self)

    def emit(self, group, payload, message_id=None, traceparent=None):
        """Emits one event and returns True when the broker confirmed it.

        payload is an object that the json module can write, sent compact and as
        UTF-8, or the JSON text itself as bytes, which browsers then get byte
        for byte; at most 1 MiB. message_id has at most 200 bytes; an event that
        is emitted again with the same id, group and payload is delivered once.
        traceparent is a W3C trace context of at most 128 bytes.
        """
        try:
            self._emit(group, payload, message_id, traceparent)
        except BaseException as err:
            self._count("failed")
            if self.raise_errors or not about_event(err):
                raise
            log.warning("event for group %.300r was not emitted: %s", group, err)
            return False
        self._count("emitted")
        return True

    def disconnect(self, user, session=None, message_id=None):
        """Ends the websocket connections of a user with 4403, on all gateways.

        user is the id that tokens carry, a text or an integer; session, when it
        is given, says which login session's alone (the claim sid). For a
        log-out, a right that was taken away, a session limit.

        It returns when the broker has confirmed, and raises otherwise, whatever
        raise_errors says: a log-out that does not happen must be known. An
        order that is given again with the same message_id takes effect once.
        """
        if self._settings is None:
            raise EmitError(self._problem)
        self._send(order.make(user, session, message_id), order.ROUTE, Deadline(self._settings.timeout))

    def close(self):
        """Closes the connection, in the time of one call. The next emit opens another."""
        if self._settings is None:
            return
        until = Deadline(self._settings.timeout)
        try:
            with self._turn.held(until):
                if self._pid != os.getpid():
                    self._leave()
                driver, self._driver = self._driver, None
                if driver is not None:
                    driver.close(until)
        except EmitError as err:
            if self.raise_errors:
                raise
            log.warning("the emitter was not closed: %s", err)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _emit(self, group, payload, message_id, traceparent):
        if self._settings is None:
            raise EmitError(self._problem)
        until = Deadline(self._settings.timeout)
        made = event.make(group, payload, message_id, traceparent or self._traced(group))
        self._send(made, self._route(made), until)

    def _send(self, message, route, until):
        with self._turn.held(until):
            if self._pid != os.getpid():
                self._leave()
            try:
                self._publish(message, route, until)
            except (Refused, Unroutable):  # a clear answer: the connection is as good as before
                if not self._driver.usable():
                    self._drop()
                raise
            except BaseException:  # it may be in the middle of anything
                self._drop()
                raise

    def _traced(self, group):
        """What the hook says; a hook that fails does not cost the event."""
        if self._trace is None:
            return None
        try:
            traceparent = self._trace(group)
            if traceparent:
                event.check_text("the traceparent", traceparent, event.MAX_TRACEPARENT_BYTES)
            return traceparent
        except Exception as err:
            if not stumble(err):
                raise
            log.warning("an event for group %.300r goes without its trace: %s", group, err)
            return None

    def _publish(self, message, route, until):
        """Publishes, and again with the same id when the link was lost."""
        pause = 0.05
        while True:
            try:
                if self._driver is None:
                    self._driver = open_driver(self._settings.driver, self._settings.url, until)
                return self._driver.publish(message, route, until)
            except LinkLost:
                self._drop()
                if until.left() <= pause:
                    raise
                time.sleep(pause)
                pause = min(pause * 2, 1.0)

    def _route(self, made):
        shards = self._settings.shards
        headers = {"traceparent": made.traceparent} if made.traceparent else {}
        exchange, key = "belfry.emit", made.group
        if shards > 1:
            exchange, key = f"belfry.emit.v1.n{shards}", str(shard_of(made.group, shards))
            headers["group"] = made.group
        return Route(exchange, key, headers, str(round(self._settings.expiration * 1000)), 2 if self.persistent else 1)

    def _count(self, which):
        with self._counting:
            setattr(self, which, getattr(self, which) + 1)

    def _drop(self):
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.abort()

    def _leave(self):
        """Leaves the connection to the process that opened it."""
        self._inherited.append(self._driver)
        self._driver, self._pid = None, os.getpid()

    def _after_fork(self):
        # The locks may have been held by threads that do not exist here.
        self._turn, self._counting = Turn(), threading.Lock()
        self.emitted = self.failed = 0
        self._leave()


def _after_fork_in_child():
    for emitter in list(_emitters):
        emitter._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
