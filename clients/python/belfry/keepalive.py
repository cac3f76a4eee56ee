"""TCP keep-alive: the system detects a dead connection while no event is sent."""

import socket

# Seconds: a connection whose peer is gone, or reads nothing, is closed after about 30.
_IDLE, _INTERVAL, _PROBES = 15, 5, 3
_UNTAKEN = 30_000  # milliseconds

# The options that this system supports.
OPTIONS = {getattr(socket, name): value for name, value in [
    ("TCP_KEEPIDLE", _IDLE), ("TCP_KEEPINTVL", _INTERVAL), ("TCP_KEEPCNT", _PROBES), ("TCP_USER_TIMEOUT", _UNTAKEN),
    ("TCP_NODELAY", 1)] if hasattr(socket, name)}


def on(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in OPTIONS.items():
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
