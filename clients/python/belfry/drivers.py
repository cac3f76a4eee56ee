"""Two AMQP libraries behind four methods.

A driver is an open connection. It is used by one thread at a time, and by the
process that opened it.

    publish(event, route, until)  returns when the broker has confirmed, or
                                  raises Refused, Unroutable, EmitError or LinkLost
    usable()                      whether it can publish again after an error
    close(until)                  says good-bye to the broker
    abort()                       ends it at once, and never waits

Whatever waits ends with the Deadline that it is given. Exceptions that are not
about the link pass through, and leave the driver in an unknown state: abort it
then. No message of an error holds the URL.
"""

import typing

from .errors import EmitError


class Route(typing.NamedTuple):
    """Where an event goes, and how it travels."""

    exchange: str
    key: str
    headers: dict
    expiration: str  # milliseconds; None: it does not expire
    delivery_mode: int


def open_driver(name, url, until):
    """Connects with the named library, or with the first installed."""
    for candidate in ("pika", "kombu"):
        if name not in (None, candidate):
            continue
        try:
            if candidate == "pika":
                from .over_pika import PikaDriver as driver
            else:
                from .over_kombu import KombuDriver as driver
        except ImportError:
            if name is not None:
                raise EmitError(f"the library {name} is not installed") from None
            continue
        return driver(url, until)
    raise EmitError("neither pika nor kombu is installed: install one of them")
