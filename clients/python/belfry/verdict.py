"""Translates the AMQP libraries' errors and the broker's answers into Belfry's errors."""

import contextlib
import logging
import socket
import ssl
import sys

from .errors import AccessRefused, Blocked, EmitError, LinkLost, Refused, Unroutable, about_link, stumble

log = logging.getLogger("belfry")

# The codes with which a broker refuses a connection (AMQP 0-9-1, 1.4 and 4.2.2).
_ACCESS_REFUSED, _NOT_ALLOWED = 403, 530


@contextlib.contextmanager
def _library(then):
    """Wraps calls of a library: calls then with its errors and lets all others pass.

    A library may turn an exception that a signal handler raised into its own error, or a
    socket's. In that case the original exception is raised.
    """
    handled = sys.exc_info()[1]  # an exception that the caller is handling
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
    """Turns a library's errors into LinkLost. The message has only their kind, because
    their text may contain anything. cause returns the exception behind a library's error."""
    def then(err):
        found = cause(err)
        if stumble(found) and not isinstance(found, OSError):
            log.debug("%s: unexpected error in the AMQP library", doing, exc_info=found)
        raise LinkLost(f"{doing}: {_why(found, until)}") from None
    return _library(then)


def _why(err, until):
    if isinstance(err, ssl.SSLCertVerificationError):
        return f"its certificate was not accepted ({err.verify_message}): check BELFRY_AMQP_CA_FILE and the host name"
    if isinstance(err, ssl.SSLError):
        return f"TLS failed ({getattr(err, 'reason', None)}): is this the port for amqps://?"
    if isinstance(err, socket.gaierror):
        return "its host name is not known: correct the address"
    if isinstance(err, ConnectionRefusedError):
        return "the connection was refused: is it running on that host and port?"
    if until.over() or isinstance(err, TimeoutError):
        return "it did not answer within the time of this call"
    return type(err).__name__


def ignoring_link():
    """Ignores a library's errors, for closing a connection that may be lost already."""
    return _library(lambda _: None)


def connection_refused(code, text, address):
    """Returns the error for a connection that the broker closed while it was opened."""
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
    """Returns the error for a channel that the broker closed, which it would do again."""
    if code == 404:
        return unroutable()
    if code == 403:
        return EmitError(f"the broker's user may not publish there: give it the permission to write ({code} {text})")
    return EmitError(f"the broker closed the channel: {code} {text}")
