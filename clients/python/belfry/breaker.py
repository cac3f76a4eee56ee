"""A circuit breaker: while the broker cannot be reached, events fail at once.

            a call failed                      the pause is over, one call tries
    CLOSED ---------------> OPEN, for a pause ----------------------------------> HALF-OPEN
       ^                      ^                                                     |  |
       |                      |  it failed: the pause doubles, up to LAST_PAUSE     |  |
       |                      +-----------------------------------------------------+  |
       +-------------------------------------------------------------------------------+
                                        the broker answered

Each change is logged in one line, with the number of events that failed at once.
All methods may be called from any thread, and never wait.
"""

import logging
import random
import threading
import time

from .errors import Blocked

log = logging.getLogger("belfry")

FIRST_PAUSE = 1.0  # seconds
LAST_PAUSE = 5.0
# The open connection says when an alarm is over, so the pause can be short.
PAUSE_OF_AN_ALARM = 0.2


class Breaker:
    def __init__(self):
        self._lock = threading.Lock()
        self._failure = None  # the error that opened it, while it is open
        self._pause = 0.0
        self._again = 0.0  # monotonic time of the next try
        self._looking = None  # the call that tries, while half-open
        self._missed = 0  # events that failed at once

    def admit(self, call):
        """Returns whether the call is the one that tries, while the breaker is not
        closed. Raises the error that opened the breaker for all other calls."""
        with self._lock:
            if self._failure is None:
                return False
            wait = self._again - time.monotonic()
            if self._looking is call:
                return True
            if wait <= 0 and self._looking is None:
                self._looking = call
                return True
            self._missed += 1
            raise self._failure.again(max(wait, 0.0))

    def failed(self, err):
        """A call could not reach the broker: opens the breaker."""
        with self._lock:
            known = self._failure
            self._failure, self._looking = err, None
            self._pause = min(self._pause * 2, LAST_PAUSE) if known is not None and self._pause else FIRST_PAUSE
            pause = PAUSE_OF_AN_ALARM if isinstance(err, Blocked) else self._pause * random.uniform(0.5, 1.0)
            self._again = time.monotonic() + pause
            new = known is None or type(known) is not type(err)
        if new:
            log.warning("the broker does not accept events; until it does, events fail at once: %s", err)

    def answered(self):
        """The broker confirmed or refused an event: closes the breaker."""
        with self._lock:
            was, missed = self._failure, self._missed
            self._failure = self._looking = None
            self._pause, self._missed = 0.0, 0
        if was is not None:
            log.warning("the broker accepts events again; %d failed at once meanwhile", missed)

    def gave_up(self, call):
        """The call ended for another reason: another call may try."""
        with self._lock:
            if self._looking is call:
                self._looking = None

    def end(self):
        """Logs the number of failed events that no later line would report."""
        with self._lock:
            missed, self._missed = self._missed, 0
        if missed:
            log.warning("the emitter was closed while the broker did not accept events; %d failed at once", missed)
