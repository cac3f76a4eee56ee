"""The interface to two AMQP libraries, pika and py-amqp (kombu).

A driver is an open connection. One thread at a time may use it, in the process that
opened it. It has five methods:

    publish(event, route, until, silence)
                   returns when the broker has confirmed the event, or raises Refused,
                   Unroutable, EmitError, LinkLost or Blocked. If the broker does not
                   answer, it waits until the deadline silence, or until the deadline
                   until if the broker has said that it has an alarm
    alarm()        returns the alarm for which the broker blocks this connection; empty
                   if there is none or the connection is lost. It does not wait
    usable()       whether the driver can publish again after an error
    close(until)   closes the connection with the broker's consent
    abort()        closes the connection at once, and never waits

Every wait ends at the given Deadline. Exceptions that are not about the connection
pass through and leave the driver in an unknown state: abort it then. No error message
contains the address.
"""

import typing

from . import quiet
from .errors import EmitError, LinkLost
from .null import NullDriver


class Route(typing.NamedTuple):
    """Where and how an event is published."""

    exchange: str
    key: str
    headers: dict
    expiration: str  # in milliseconds; None: it does not expire
    delivery_mode: int


def open_driver(settings, until):
    """Connects to the first address that can be reached. Each gets an equal share of the
    remaining time. The library is the one in the settings or the first installed one."""
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
