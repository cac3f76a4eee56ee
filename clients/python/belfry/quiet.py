"""Keeps the AMQP libraries' log lines about the emitter out of the application's log.

pika logs a refused connection in a dozen lines, some with a traceback. The emitter's own
error says the same once. Only lines about the emitter's connection are dropped: an
application that uses the library itself still gets its lines. If the logger ``belfry``
is at DEBUG, nothing is dropped.
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
    """Adds the filter to each logger of the libraries, because filters are not inherited."""
    for logger in _loggers():
        if _passes not in logger.filters:
            logger.addFilter(_passes)


@contextlib.contextmanager
def quiet():
    """Drops the libraries' log lines of this thread until the block ends."""
    _here.quiet = True
    try:
        yield
    finally:
        _here.quiet = False
