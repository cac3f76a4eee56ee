"""A circuit breaker: while the broker is away, events fail at once.

            a call failed                      the pause is over, one call looks
    CLOSED ---------------> OPEN, for a pause ----------------------------------> LOOKING
       ^                      ^                                                     |  |
       |                      |  still away: the pause doubles, up to LAST_PAUSE    |  |
       |                      +-----------------------------------------------------+  |
       +-------------------------------------------------------------------------------+
                                        the broker answered

The log tells of each change in one line, and of the events that failed at once
by their number. All methods may be called from any thread, and
never wait.
"""

import logging
import random
import threading
import time

from .errors import Blocked

log = logging.getLogger("belfry")

FIRST_PAUSE = 1.0  # seconds
LAST_PAUSE = 5.0
# Whether an alarm is over is seen at the link that is there, without waiting.
PAUSE_OF_AN_ALARM = 0.2


class Breaker:
    def __init__(self):
        self._lock = threading.Lock()
        self._failure = None  # the error that opened it, while it is open
        self._pause = 0.0
        self._again = 0.0  # monotonic time of the next look
        self._looking = None  # identity of the call that looks
        self._missed = 0  # events that failed at once

    def admit(self, call):
        """Lets a call through and returns whether it is one that looks. Raises
        the error that opened the breaker, at once, for all others."""
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
        """A call found the broker away."""
        with self._lock:
            known = self._failure
            self._failure, self._looking = err, None
            self._pause = min(self._pause * 2, LAST_PAUSE) if known is not None and self._pause else FIRST_PAUSE
            pause = PAUSE_OF_AN_ALARM if isinstance(err, Blocked) else self._pause * random.uniform(0.5, 1.0)
            self._again = time.monotonic() + pause
            new = known is None or type(known) is not type(err)
        if new:
            log.warning("the broker takes no events, and until it does they fail at once: %s", err)

    def answered(self):
        """The broker gave a verdict on an event, whatever it was."""
        with self._lock:
            was, missed = self._failure, self._missed
            self._failure = self._looking = None
            self._pause, self._missed = 0.0, 0
        if was is not None:
            log.warning("the broker takes events again; %d failed at once meanwhile", missed)

    def gave_up(self, call):
        """The call ended for a reason of its own: another may look."""
        with self._lock:
            if self._looking is call:
                self._looking = None

    def end(self):
        """Tells what would not be told any more."""
        with self._lock:
            missed, self._missed = self._missed, 0
        if missed:
            log.warning("the emitter is closed while the broker takes no events; %d failed at once", missed)
