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

# A connection that was there before the call may be dead without anybody having
# noticed. So it gets a part of the time, and a new one what is left.
PART_OF_AN_OLD_LINK = 1 / 3
MOST_OF_AN_OLD_LINK = 5.0  # seconds
SLOWEST_LINK = 128 * 1024  # bytes per second: a large event takes its time
MOST_FOR_A_LARGE_EVENT = 2 / 3

# While the broker is away one call in a while looks for it, and is not held up
# for all its time.
PART_OF_A_LOOK = 1 / 2

# A call that had so much of its time and reached nobody has seen enough.
PART_OF_A_VERDICT = 1 / 4

# Seconds after which a new connection is made to ask again: a network that went
# silent in an alarm would hide its end.
TIME_OF_AN_ALARM = 120.0

# Seconds, for all emitters of the process together.
TIME_AT_EXIT = 1.0


class Emitter:
    """Emits events through RabbitMQ, confirmed.

    url: the broker, amqp:// or amqps://, default BELFRY_AMQP_URL or
        amqp://guest:guest@127.0.0.1:5672/; null:// checks events and sends none
    shards: the workers' BELFRY_SHARDS, 1 to 256, default that variable or 1
    expiration: seconds after which an undelivered event is given up (a gap is
        declared for its group), default 60
    timeout: seconds that one call may take at most, default 5: waiting for
        other threads, looking up the broker's name, connecting, trying again
        and the broker's confirm together
    raise_errors: raise EmitError, or ValueError and TypeError for bad
        arguments, instead of logging and counting
    persistent: the event survives a restart of the broker, and costs more
    driver: "pika" or "kombu"; default whichever is installed, pika first
    trace: called with the group for each event that brings no traceparent of
        its own; returns the traceparent that travels with it, or None
    encoder, default: how a payload's objects are written that JSON does not
        know: a json.JSONEncoder class such as DjangoJSONEncoder, and a
        function, as json.dumps has them for cls and default

    Without raise_errors nothing about an event or the settings is raised, also
    not by this constructor: each emit logs what is wrong and returns False.
    Exceptions that are not about the event are never kept back, above all those
    that a signal raises in the middle of a call.

    After a call that did not reach the broker in its time the next ones fail at
    once, for 1 to 5 s; then one of them tries again.

    emitted and failed count the events of this process; a forked child begins
    at 0. All methods may be called from any thread. After a fork the child
    opens a connection of its own and leaves the parent's alone.
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
        self._warned = False  # of a text that already is JSON
        self._settings = self._problem = None
        self._driver = None
        self._inherited = []  # drivers of the parent, kept so that no destructor ends them
        self._pid = os.getpid()
        self._turn = Turn()
        self._breaker = Breaker()
        self._believed = None  # the Deadline until which the connection's alarm is believed
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
        """Emits one event and returns True when the broker confirmed it.

        payload is an object that the json module can write, with encoder and
        default where they are given, sent compact and as UTF-8; or the JSON
        text itself as bytes, which browsers then get byte for byte; at most
        1 MiB. A str is an object, too: browsers get a JSON string. message_id has at most 200 bytes; an event that
        is emitted again with the same id, group and payload is delivered once.
        traceparent is a W3C trace context of at most 128 bytes.
        """
        try:
            self._emit(group, payload, message_id, traceparent)
        except BaseException as err:
            self._count("failed")
            if self.raise_errors or not about_event(err):
                raise
            # The breaker has told what it knows already.
            level = logging.DEBUG if getattr(err, "repeated", False) else logging.WARNING
            log.log(level, "event for group %.300r was not emitted: %s", group, err)
            return False
        self._count("emitted")
        return True

    def disconnect(self, user: str | int, session: str | None = None, message_id: str | None = None) -> None:
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

    def close(self) -> None:
        """Closes the connection, in the time of one call. The next emit opens
        another. What is still open when the process ends is closed in a second."""
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
                        "it: pass the object, or the text as bytes (told once)", group)
        self._send(made, self._route(made), until)

    def _send(self, message, route, until):
        call = object()
        self._breaker.admit(call)
        try:
            with self._turn.held(until):
                if self._pid != os.getpid():
                    self._leave()
                looks = self._breaker.admit(call)  # another thread may know more by now
                self._attempt(message, route, until.within(self._settings.timeout * PART_OF_A_LOOK) if looks else until, looks)
        finally:
            self._breaker.gave_up(call)

    def _attempt(self, message, route, until, looks):
        enough = until.left() >= self._settings.timeout * PART_OF_A_VERDICT
        try:
            with quiet():
                self._publish(message, route, until, looks)
        except Blocked as err:  # the connection will tell when the alarm is over
            self._breaker.failed(err)
            raise
        except (AccessRefused, LinkLost) as err:
            self._drop()
            if enough or isinstance(err, AccessRefused):
                self._breaker.failed(err)
            raise
        except (Refused, Unroutable):  # a clear answer: the connection is as good as before
            self._breaker.answered()
            if not self._driver.usable():
                self._drop()
            raise
        except BaseException:  # it may be in the middle of anything
            self._drop()
            raise
        self._believed = None
        self._breaker.answered()

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

    def _publish(self, message, route, until, looks):
        """Publishes, and again with the same id when the link was lost."""
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
                        raise LinkLost("the broker has not said for long whether its alarm is over")
                    silence = until.within(_time_of_an_old_link(until, len(message.body)))
                return self._driver.publish(message, route, until, silence)
            except Blocked:
                if self._believed is None:
                    self._believed = Deadline(TIME_OF_AN_ALARM)
                raise
            except LinkLost:
                self._drop()
                if old and not until.over():
                    continue  # a new one, at once
                if looks or until.left() <= pause:
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
        driver, self._driver, self._believed = self._driver, None, None
        if driver is not None:
            driver.abort()

    def _leave(self):
        """Leaves the connection to the process that opened it."""
        self._inherited.append(self._driver)
        self._driver, self._pid = None, os.getpid()

    def _after_fork(self):
        # The locks may have been held by threads that do not exist here.
        self._turn, self._breaker, self._counting = Turn(), Breaker(), threading.Lock()
        self.emitted = self.failed = 0
        self._leave()


def _time_of_an_old_link(until, size):
    """Seconds."""
    part = min(until.left() * PART_OF_AN_OLD_LINK, MOST_OF_AN_OLD_LINK)
    return min(part + size / SLOWEST_LINK, max(part, until.left() * MOST_FOR_A_LARGE_EVENT))


def _after_fork_in_child():
    for emitter in list(_emitters):
        emitter._after_fork()


def _close_all():
    """At the end of the process: none of them may hold it up, an alarm included."""
    until = Deadline(TIME_AT_EXIT)
    for emitter in list(_emitters):
        try:
            emitter._close(until)
        except EmitError as err:  # a thread is in the middle of a call
            log.debug("an emitter was not closed at exit: %s", err)


atexit.register(_close_all)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
