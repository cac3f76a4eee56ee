"""What an AMQP library's errors, and the broker's answers, mean for an event."""

import contextlib
import logging
import sys

from .errors import EmitError, LinkLost, Refused, Unroutable, about_link, stumble

log = logging.getLogger("belfry")


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
