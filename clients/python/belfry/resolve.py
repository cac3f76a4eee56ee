"""Looks up the broker's name within the time of the call."""

import socket
import threading


def resolve(host, port, until):
    """Returns the result of getaddrinfo. Raises its errors, or TimeoutError.

    The system's look-up has no time limit, so it runs in a thread, which is abandoned
    when the time is over. The arguments are positional, because eventlet's look-up has
    other parameter names.
    """
    outcome = []

    def look_up():
        try:
            outcome.append((socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM), None))
        except Exception as err:
            outcome.append((None, err))

    thread = threading.Thread(target=look_up, name="belfry look-up", daemon=True)
    thread.start()
    thread.join(until.left())
    if not outcome:
        raise TimeoutError(f"looking up {host}")
    [(found, err)] = outcome
    if err is not None:
        raise err
    return found
