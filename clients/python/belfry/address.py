"""A broker's address: ``amqp://user:password@host:port/vhost``.

The AMQP libraries parse addresses differently, so this module does it instead, in
the same way for both drivers and for Belfry's programs in Go. The tests of both
languages use ``pkg/amqpbus/testdata/broker_addresses.json``. No error shows the
address or a part of it, because a password that is not percent-encoded may end up
in any part.
"""

import dataclasses
import ipaddress
import re
import urllib.parse

MAX_VHOST_BYTES = 255  # a short string of AMQP 0-9-1
PORTS = {"amqp": 5672, "amqps": 5671}
_ENCODE = "percent-encode the special characters of user, password and virtual host"

# What RFC 3986 allows in a user or password, and a colon that is not the first.
_USERINFO = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@%]*")
_HOST = re.compile(r"(?P<host>[A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]*\])(?P<port>:.*)?")
_BROKEN_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


@dataclasses.dataclass(frozen=True)
class Address:
    """One broker, one user, one virtual host."""

    tls: bool
    host: str  # a name in lower case, or an IP address without brackets
    port: int
    user: str
    password: str = dataclasses.field(repr=False)
    vhost: str

    def endpoint(self):
        """host:port, for messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(text):
    """Returns the Address. Raises ValueError with a text that continues the name of a setting.

    User and password default to guest and guest; guest's password may be left out.
    The port defaults to 5672, or 5671 with TLS. The virtual host is the decoded text
    after the slash that follows the host, by default ``/``.
    """
    if any(not "!" <= c <= "~" for c in text):
        raise ValueError(f"holds a space, a control character, or one beyond ASCII: {_ENCODE}")
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in PORTS:
        raise ValueError("has another scheme: begin it with amqp:// or amqps://")
    for sign in "?#":
        if sign in rest:
            raise ValueError(f'holds a "{sign}": {_ENCODE}; options behind the virtual host are not taken')
    authority, _, path = rest.partition("/")
    if "@" in path:
        raise ValueError(f'holds a "/" before an "@": {_ENCODE}')
    if _BROKEN_ESCAPE.search(rest):
        raise ValueError(f'holds a "%" that begins no code: {_ENCODE}')
    userinfo, at, server = authority.rpartition("@")
    host, port = _server(server, PORTS[scheme])
    user, password = _login(userinfo) if at else ("guest", "guest")
    vhost = _decoded(path) or "/"
    if len(vhost.encode("utf-8")) > MAX_VHOST_BYTES:
        raise ValueError(f"has a virtual host of over {MAX_VHOST_BYTES} bytes: correct it")
    return Address(scheme == "amqps", host, port, user, password, vhost)


def _server(text, default):
    found = _HOST.fullmatch(text)
    if found is None:
        raise ValueError(f"has a host of no known form: {_ENCODE}")
    host, port = found["host"].lower(), (found["port"] or "")[1:]
    if not host:
        raise ValueError("names no host: write amqp://user:password@host:5672/")
    if host.startswith("["):
        host = host[1:-1]
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError("has brackets around what is no IPv6 address: correct the host") from None
    if not port:
        return host, default
    if not re.fullmatch("[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise ValueError(f"has a port that is none: write 1 to 65535; if a password is read as the port, {_ENCODE}")
    return host, int(port)


def _login(userinfo):
    if not _USERINFO.fullmatch(userinfo):
        raise ValueError(f"has a user or password with a sign that stands for something else: {_ENCODE}")
    user, colon, password = userinfo.partition(":")
    user, password = _decoded(user), _decoded(password)
    if not user:
        raise ValueError("names no user before the @: write amqp://user:password@host:5672/")
    if not colon and user == "guest":
        password = "guest"
    if not password:
        raise ValueError("names a user without a password: write amqp://user:password@host:5672/")
    return user, password


def _decoded(text):
    try:
        decoded = urllib.parse.unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"has percent codes that are not UTF-8: {_ENCODE} as UTF-8") from None
    if any(c < " " or c == "\x7f" for c in decoded):
        raise ValueError("has the percent code of a control character: correct it")
    return decoded
