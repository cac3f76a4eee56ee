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

import contextlib
import logging
import sys
import typing

from .errors import EmitError, LinkLost, Refused, Unroutable, about_link, stumble

log = logging.getLogger("belfry")


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


@contextlib.contextmanager
def _library(then):
    """Around the work of a library: calls then with its errors and lets others out.

    What a signal raises may have become a library's error, or a socket's, on
    its way: then the one that came first goes out.
    """
    handled = sys.exc_info()[1]  # the caller's affair
    try:
        yield
    except Exception as err:
        first = err
        while first is not None and first is not handled:
            if not about_link(first):
                raise first
            first = first.__context__
        then(err)


def usable_url():
    """Around the library's reading of the URL, whose errors may quote it."""
    def then(_):
        raise EmitError("the broker's address cannot be used: percent-encode the special characters of its password, "
                        "and look at its query, which is the library's own") from None
    return _library(then)


def link(doing, until):
    """Makes LinkLost of a library's errors. Only their type is told: their text
    may hold anything."""
    def then(err):
        if stumble(err) and not isinstance(err, OSError):
            log.debug("%s: the library stumbled", doing, exc_info=err)
        why = "no answer in the time of this call" if until.over() else type(err).__name__
        raise LinkLost(f"{doing}: {why}") from None
    return _library(then)


def ignoring_link():
    """Around a good-bye, to which the link may be lost already."""
    return _library(lambda _: None)


def refused():
    return Refused("the broker refused the event: its queue is full; are the workers running?")


def unroutable():
    return Unroutable("no queue takes the event: start a worker once, and compare BELFRY_SHARDS with the workers'")


def channel_closed(code, text):
    """The broker closed the channel, for a reason that stays."""
    return unroutable() if code == 404 else EmitError(f"the broker closed the channel: {code} {text}")
