"""What an AMQP library's errors, and the broker's answers, mean for an event."""

import contextlib
import logging
import socket
import ssl
import sys

from .errors import AccessRefused, Blocked, EmitError, LinkLost, Refused, Unroutable, about_link, stumble

log = logging.getLogger("belfry")

# AMQP 0-9-1, 4.2.2 and 1.4: how the broker closes a connection that may not be.
_ACCESS_REFUSED, _NOT_ALLOWED = 403, 530


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


def link(doing, until, cause=lambda err: err):
    """Makes LinkLost of a library's errors. Only their kind is told: their text
    may hold anything. cause returns what a library's error was made of."""
    def then(err):
        found = cause(err)
        if stumble(found) and not isinstance(found, OSError):
            log.debug("%s: the library stumbled", doing, exc_info=found)
        raise LinkLost(f"{doing}: {_why(found, until)}") from None
    return _library(then)


def _why(err, until):
    if isinstance(err, ssl.SSLCertVerificationError):
        return f"its certificate was not accepted ({err.verify_message}): look at BELFRY_AMQP_CA_FILE and at the host's name"
    if isinstance(err, ssl.SSLError):
        return f"TLS failed ({getattr(err, 'reason', None)}): is this the port for amqps://?"
    if isinstance(err, socket.gaierror):
        return "its host's name is not known: correct the address"
    if isinstance(err, ConnectionRefusedError):
        return "the connection was refused: is it running there, on that port?"
    if until.over() or isinstance(err, TimeoutError):
        return "no answer in the time of this call"
    return type(err).__name__


def ignoring_link():
    """Around a good-bye, to which the link may be lost already."""
    return _library(lambda _: None)


def connection_refused(code, text, address):
    """The broker closed a connection that was about to open, with a reason; None: it may open later."""
    if code == _ACCESS_REFUSED:
        return AccessRefused(f"the broker at {address.endpoint()} refused the login of {address.user!r}: "
                             "correct user and password of the address")
    if code == _NOT_ALLOWED and "limit" not in text and "is down" not in text:
        return AccessRefused(f"the broker at {address.endpoint()} does not let {address.user!r} into the virtual host "
                             f"{address.vhost!r}: does it exist, and has the user permissions there? ({text})")
    return LinkLost(f"the broker at {address.endpoint()} closed the new connection: {code} {text}")


def blocked(alarm):
    return Blocked(f"the broker blocks publishers because of an alarm ({alarm}): free memory or disk of its host")


def refused():
    return Refused("the broker refused the event: its queue is full; are the workers running?")


def unroutable():
    return Unroutable("no queue takes the event: start a worker once, and compare BELFRY_SHARDS with the workers'")


def channel_closed(code, text):
    """The broker closed the channel, for a reason that stays."""
    if code == 404:
        return unroutable()
    if code == 403:
        return EmitError(f"the broker's user may not publish there: give it the permission to write ({code} {text})")
    return EmitError(f"the broker closed the channel: {code} {text}")
