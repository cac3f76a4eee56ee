"""The emitter: one connection per process, used by one thread at a time."""

from __future__ import annotations

import atexit
import json
import logging
import os
import threading
import time
import typing
import weakref

from . import event, order, payloads, settings
from .breaker import Breaker
from .deadline import Deadline
from .drivers import Route, open_driver
from .errors import AccessRefused, Blocked, EmitError, LinkLost, Refused, Unroutable, about_event, stumble
from .groups import shard_of
from .quiet import quiet
from .turn import Turn
from .verdict import blocked

log = logging.getLogger("belfry")

_emitters = weakref.WeakSet()

# A connection that was opened before the call may be dead unnoticed. So it gets a part of
# the call's time, and a new connection the rest.
PART_OF_AN_OLD_LINK = 1 / 3
MOST_OF_AN_OLD_LINK = 5.0  # seconds
SLOWEST_LINK = 128 * 1024  # bytes per second: a large event gets more time
MOST_FOR_A_LARGE_EVENT = 2 / 3

# The part of its time that a call gets which tries whether the broker is back.
PART_OF_A_LOOK = 1 / 2

# A call that had at least this part of its time and did not reach the broker opens the
# breaker.
PART_OF_A_VERDICT = 1 / 4

# After this many seconds of an alarm a new connection is made, because the old one may have
# died without a sign.
TIME_OF_AN_ALARM = 120.0

# Seconds for closing all emitters at the end of the process.
TIME_AT_EXIT = 1.0


class Emitter:
    """Emits events through RabbitMQ and waits for the broker's confirm.

    url: the broker, amqp:// or amqps://; default BELFRY_AMQP_URL or
        amqp://guest:guest@127.0.0.1:5672/. null:// checks events and sends none
    shards: the workers' BELFRY_SHARDS, 1 to 256; default that variable or 1
    expiration: seconds after which an undelivered event expires (its group then
        gets a gap); default 60
    timeout: seconds that one call may take at most, default 5. It includes waiting
        for other threads, looking up the broker's name, connecting, trying again
        and waiting for the broker's confirm
    raise_errors: raise EmitError, or ValueError and TypeError for wrong
        arguments, instead of logging and counting failures
    persistent: make events survive a restart of the broker, at the cost of speed
    driver: "pika" or "kombu"; default the one that is installed, pika first
    trace: called with the group for each event without a traceparent; returns
        the traceparent to send with it, or None
    encoder, default: for objects that JSON does not know: a json.JSONEncoder
        class such as DjangoJSONEncoder, and a function, like the parameters cls
        and default of json.dumps

    Without raise_errors neither emit nor this constructor raises for an event or a
    setting: each emit logs what is wrong and returns False. Exceptions that are not
    about the event always pass through, above all those that a signal handler raises
    during a call.

    After a call that could not reach the broker in time, further calls fail at once
    for 1 to 5 s; then one of them tries again.

    emitted and failed count the events of this process; a forked child starts at 0.
    All methods may be called from any thread. After a fork the child opens its own
    connection and does not touch the parent's.
    """

    def __init__(self, url: str | None = None, shards: int | str | None = None, expiration: float = 60.0,
                 timeout: float = 5.0, raise_errors: bool = False, persistent: bool = False,
                 driver: str | None = None, trace: typing.Callable[[str], str | None] | None = None,
                 encoder: type[json.JSONEncoder] | None = None,
                 default: typing.Callable[[typing.Any], typing.Any] | None = None) -> None:
        self.raise_errors = raise_errors
        self.persistent = persistent
        self.emitted = 0
        self.failed = 0
        self._trace = trace
        self._form = payloads.Form(encoder, default)
        self._warned = False  # whether the warning about a str with JSON was logged
        self._settings = self._problem = None
        self._driver = None
        self._inherited = []  # the parent's drivers, kept so that no destructor closes them
        self._pid = os.getpid()
        self._turn = Turn()
        self._breaker = Breaker()
        self._believed = None  # the Deadline after which an alarm is checked with a new connection
        self._counting = threading.Lock()
        try:
            self._settings = settings.read(url, shards, expiration, timeout, driver)
        except ValueError as err:
            if raise_errors:
                raise
            self._problem = str(err)
        _emitters.add(self)

    def emit(self, group: str, payload: typing.Any, message_id: str | None = None,
             traceparent: str | None = None) -> bool:
        """Emits one event and returns True when the broker has confirmed it.

        payload is an object that the json module can encode, with the emitter's encoder
        and default, which is sent as compact UTF-8; or the JSON text itself as bytes,
        which browsers then receive byte for byte. It has at most 1 MiB. A str is an
        object, too: browsers get a JSON string. message_id has at most 200 bytes; an
        event that is emitted again with the same id, group and payload is delivered
        once. traceparent is a W3C trace context of at most 128 bytes.
        """
        try:
            self._emit(group, payload, message_id, traceparent)
        except BaseException as err:
            self._count("failed")
            if self.raise_errors or not about_event(err):
                raise
            # The breaker has logged a repeated error already.
            level = logging.DEBUG if getattr(err, "repeated", False) else logging.WARNING
            log.log(level, "event for group %.300r was not emitted: %s", group, err)
            return False
        self._count("emitted")
        return True

    def disconnect(self, user: str | int, session: str | None = None, message_id: str | None = None) -> None:
        """Closes a user's websocket connections on all gateways with 4403.

        user is the user's id as tokens carry it, a str or an int. If session is given
        (the claim sid), only connections of that login session are closed. Use it for a
        log-out, a revoked permission or a session limit.

        It returns when the broker has confirmed the order, and raises otherwise, also
        without raise_errors, because the caller must know that a log-out failed. An
        order that is repeated with the same message_id takes effect once.
        """
        if self._settings is None:
            raise EmitError(self._problem)
        self._send(order.make(user, session, message_id), order.ROUTE, Deadline(self._settings.timeout))

    def close(self) -> None:
        """Closes the connection, within the timeout of one call. The next emit opens
        another. Connections that are open when the process ends are closed within a
        second."""
        if self._settings is None:
            return
        try:
            self._close(Deadline(self._settings.timeout))
        except EmitError as err:
            if self.raise_errors:
                raise
            log.warning("the emitter was not closed: %s", err)

    def _close(self, until):
        self._breaker.end()
        with self._turn.held(until):
            if self._pid != os.getpid():
                self._leave()
            driver, self._driver = self._driver, None
            if driver is not None:
                with quiet():
                    driver.close(until)

    def __enter__(self) -> Emitter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _emit(self, group, payload, message_id, traceparent):
        if self._settings is None:
            raise EmitError(self._problem)
        until = Deadline(self._settings.timeout)
        made = event.make(group, payload, message_id, traceparent or self._traced(group), self._form)
        if not self._warned and payloads.looks_written(payload):
            self._warned = True
            log.warning("the payload for group %.300r is a str that holds JSON, so browsers get a string with JSON in "
                        "it: pass the object, or the text as bytes (logged once)", group)
        self._send(made, self._route(made), until)

    def _send(self, message, route, until):
        call = object()
        self._breaker.admit(call)
        try:
            with self._turn.held(until):
                if self._pid != os.getpid():
                    self._leave()
                looks = self._breaker.admit(call)  # the state may have changed while waiting
                self._attempt(message, route, until.within(self._settings.timeout * PART_OF_A_LOOK) if looks else until, looks)
        finally:
            self._breaker.gave_up(call)

    def _attempt(self, message, route, until, looks):
        enough = until.left() >= self._settings.timeout * PART_OF_A_VERDICT
        try:
            with quiet():
                self._publish(message, route, until, looks)
        except Blocked as err:  # the connection will say when the alarm is over
            self._breaker.failed(err)
            raise
        except (AccessRefused, LinkLost) as err:
            self._drop()
            if enough or isinstance(err, AccessRefused):
                self._breaker.failed(err)
            raise
        except (Refused, Unroutable):  # an answer, so the connection works
            self._breaker.answered()
            if not self._driver.usable():
                self._drop()
            raise
        except BaseException:  # the driver's state is unknown
            self._drop()
            raise
        self._believed = None
        self._breaker.answered()

    def _traced(self, group):
        """Returns the trace hook's result; if the hook fails, the event is sent without."""
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
            log.warning("an event for group %.300r is sent without its trace: %s", group, err)
            return None

    def _publish(self, message, route, until, looks):
        """Publishes, and tries again with the same id if the connection was lost."""
        pause = 0.05
        while True:
            try:
                silence, old = until, self._driver is not None
                if not old:
                    self._driver = open_driver(self._settings, until)
                else:
                    alarm = self._driver.alarm()
                    if alarm and self._believed is not None:
                        if not self._believed.over():
                            raise blocked(alarm)
                        raise LinkLost("the broker has not said for a long time whether its alarm is over")
                    silence = until.within(_time_of_an_old_link(until, len(message.body)))
                return self._driver.publish(message, route, until, silence)
            except Blocked:
                if self._believed is None:
                    self._believed = Deadline(TIME_OF_AN_ALARM)
                raise
            except LinkLost:
                self._drop()
                if old and not until.over():
                    continue  # with a new connection, at once
                if looks or until.left() <= pause:
                    raise
                time.sleep(pause)
                pause = min(pause * 2, 1.0)

    def _route(self, made):
        shards = self._settings.shards
        headers = {"traceparent": made.traceparent} if made.traceparent else {}
        exchange, key = "belfry.emit", made.group
        if shards > 1:
            exchange, key = f"belfry.emit.v2.n{shards}", str(shard_of(made.group, shards))
            headers["group"] = made.group
        return Route(exchange, key, headers, str(round(self._settings.expiration * 1000)), 2 if self.persistent else 1)

    def _count(self, which):
        with self._counting:
            setattr(self, which, getattr(self, which) + 1)

    def _drop(self):
        driver, self._driver, self._believed = self._driver, None, None
        if driver is not None:
            driver.abort()

    def _leave(self):
        """Gives up the connection without closing it: the parent process owns it."""
        self._inherited.append(self._driver)
        self._driver, self._pid = None, os.getpid()

    def _after_fork(self):
        # The locks may be held by threads that do not exist in this process.
        self._turn, self._breaker, self._counting = Turn(), Breaker(), threading.Lock()
        self.emitted = self.failed = 0
        self._leave()


def _time_of_an_old_link(until, size):
    """Returns how many seconds an old connection gets for a message of size bytes."""
    part = min(until.left() * PART_OF_AN_OLD_LINK, MOST_OF_AN_OLD_LINK)
    return min(part + size / SLOWEST_LINK, max(part, until.left() * MOST_FOR_A_LARGE_EVENT))


def _after_fork_in_child():
    for emitter in list(_emitters):
        emitter._after_fork()


def _close_all():
    """Closes all emitters at the end of the process, in bounded time even in an alarm."""
    until = Deadline(TIME_AT_EXIT)
    for emitter in list(_emitters):
        try:
            emitter._close(until)
        except EmitError as err:  # a thread is still in a call
            log.debug("an emitter was not closed at exit: %s", err)


atexit.register(_close_all)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
