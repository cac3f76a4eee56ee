"""Keeps an AMQP library's own lines out of the application's log.

pika tells one refused connection in a dozen lines, some with a traceback. What
they say is in the emitter's error, once. Only lines about the emitter's own
connection are left out: an application that uses the library itself still gets
all of its own. With the logger ``belfry`` at DEBUG nothing is left out.
"""

import contextlib
import logging
import threading

_LIBRARIES = ("pika", "amqp", "kombu")

log = logging.getLogger("belfry")
_here = threading.local()


def _passes(_record):
    return not getattr(_here, "quiet", False) or log.isEnabledFor(logging.DEBUG)


def _loggers():
    return [logger for name, logger in list(logging.root.manager.loggerDict.items())
            if isinstance(logger, logging.Logger) and name.partition(".")[0] in _LIBRARIES]


def install():
    """A filter belongs to one logger and not to those below it. Once per library is enough."""
    for logger in _loggers():
        if _passes not in logger.filters:
            logger.addFilter(_passes)


@contextlib.contextmanager
def quiet():
    """In this thread, and until the block ends."""
    _here.quiet = True
    try:
        yield
    finally:
        _here.quiet = False
