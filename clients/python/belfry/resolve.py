"""Looking up the broker's name, in the time of the call."""

import socket
import threading


def resolve(host, port, until):
    """Returns what getaddrinfo does. Raises its errors, and TimeoutError.

    The system's look-up has no bound of its own, so it runs in a thread, which
    is left to itself when the time is over. Its arguments go by place: the
    look-up of eventlet gives them other names than Python's.
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
