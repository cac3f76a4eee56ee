"""Two AMQP libraries behind five methods.

A driver is an open connection. It is used by one thread at a time, and by the
process that opened it.

    publish(event, route, until, silence)
                   returns when the broker has confirmed, or raises Refused,
                   Unroutable, EmitError, LinkLost or Blocked. Without an answer
                   it waits until silence is over, and until until is over where
                   it knows that an alarm is the reason
    alarm()        the alarm for which the broker blocks this connection, empty
                   for none and for a connection that is lost; it does not wait
    usable()       whether it can publish again after an error
    close(until)   says good-bye to the broker
    abort()        ends it at once, and never waits

Whatever waits ends with the Deadline that it is given. Exceptions that are not
about the link pass through, and leave the driver in an unknown state: abort it
then. No message of an error holds the address.
"""

import typing

from . import quiet
from .errors import EmitError, LinkLost
from .null import NullDriver


class Route(typing.NamedTuple):
    """Where an event goes, and how it travels."""

    exchange: str
    key: str
    headers: dict
    expiration: str  # milliseconds; None: it does not expire
    delivery_mode: int


def open_driver(settings, until):
    """Connects to the first address that can be reached, each with its share of
    the time, with the library that the settings name or the first installed."""
    if not settings.addresses:
        return NullDriver()
    driver = _library(settings.driver)
    quiet.install()
    for left in range(len(settings.addresses), 0, -1):
        try:
            return driver(settings.addresses[-left], settings.files, until.within(until.left() / left))
        except LinkLost:
            if left == 1:
                raise


def _library(name):
    for candidate in ("pika", "kombu"):
        if name not in (None, candidate):
            continue
        try:
            if candidate == "pika":
                from .over_pika import PikaDriver as driver
            else:
                from .over_kombu import KombuDriver as driver
            return driver
        except ImportError:
            if name is not None:
                raise EmitError(f"the library {name} is not installed: install it, or name the other") from None
    raise EmitError("neither pika nor kombu is installed: install one of them")
