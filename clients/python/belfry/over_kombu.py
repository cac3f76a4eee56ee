"""kombu over py-amqp, with a bound on every wait.

py-amqp takes a timeout for some of its waits, and has none for others: a TLS
handshake, the opening of a channel, a write, the answer to a close. So the
bound is put where all of them end, at the transport.
"""

import socket
import ssl

import amqp
import amqp.transport
import kombu
from kombu.transport import pyamqp

from .verdict import channel_closed, ignoring_link, link, refused, unroutable, usable_url


class _Bounded:
    """A transport each of whose waits ends with the time of the call."""

    until = None  # the Deadline of the call that uses it

    def _bound(self):
        left, less = self.until.left(), self.sock.gettimeout()
        if not left:
            raise TimeoutError
        return left if less is None else min(left, less)

    def _setup_transport(self):
        self.sock.settimeout(self._bound())  # for TLS: its handshake is here
        super()._setup_transport()
        self.sock.settimeout(None)

    def read_frame(self, *args, **kwargs):
        with self.having_timeout(self._bound()):
            return super().read_frame(*args, **kwargs)

    def write(self, data):
        with self.having_timeout(self._bound()):
            return super().write(data)


class _Plain(_Bounded, amqp.transport.TCPTransport):
    pass


class _TLS(_Bounded, amqp.transport.SSLTransport):
    pass


class _Connection(pyamqp.Connection):
    bounded = None  # the transport, also when the library has forgotten it

    # Who asks for these notices has the library read before each publish, and
    # it drops every TimeoutError that comes up there, also a signal's.
    negotiate_capabilities = dict(pyamqp.Connection.negotiate_capabilities, **{"connection.blocked": False})

    def __init__(self, until, holder, **options):
        self._until = until
        holder.append(self)
        super().__init__(**options)

    def Transport(self, host, connect_timeout, ssl=False, read_timeout=None, write_timeout=None,  # noqa: N802
                  **options):
        self.bounded = (_TLS if ssl else _Plain)(
            host, connect_timeout=connect_timeout, ssl=ssl, read_timeout=read_timeout, write_timeout=write_timeout,
            **options)
        self.bounded.until = self._until
        return self.bounded


class _Transport(pyamqp.Transport):
    Connection = _Connection


class KombuDriver:
    def __init__(self, url, until):
        self._made = []  # the connection, as soon as there is one
        self._returned = False
        try:
            self._open(url, until)
        except BaseException:
            self.abort()
            raise

    def _open(self, url, until):
        with usable_url():
            client = kombu.Connection(
                url, transport=_Transport, transport_options={"until": until, "holder": self._made},
                # By itself the library would take any host's certificate.
                ssl={"server_hostname": None, "cert_reqs": ssl.CERT_REQUIRED} if url.startswith("amqps:") else False)
        with link("the broker was not reached", until):
            client.connect_timeout = self._time_for_one(client, until)
            self._connection = client.transport.establish_connection()
            self._channel = self._connection.channel()
            self._channel.events["basic_return"].add(self._on_return)

    @staticmethod
    def _time_for_one(client, until):
        """The library tries each address of a name for as long as it is told."""
        addresses = socket.getaddrinfo(client.hostname, client.port or 0, type=socket.SOCK_STREAM)
        return max(until.left() / len(addresses), 0.001)

    def publish(self, event, route, until):
        message = amqp.Message(
            event.body, message_id=event.message_id, expiration=route.expiration, content_type="application/json",
            delivery_mode=route.delivery_mode, application_headers=route.headers)
        self._connection.bounded.until = until
        self._returned = False
        with link("the connection was lost", until):
            try:
                self._channel.basic_publish_confirm(
                    message, exchange=route.exchange, routing_key=route.key, mandatory=True)
            except amqp.exceptions.MessageNacked:
                raise refused() from None
            except amqp.exceptions.ChannelError as err:
                if not err.reply_code:  # the library's own, for a write that took too long
                    raise
                raise channel_closed(err.reply_code, err.reply_text) from None
        if self._returned:  # the broker sends it before the ack
            raise unroutable()

    def _on_return(self, *_):
        self._returned = True

    def usable(self):
        return bool(self._connection.connected and self._channel.is_open)

    def close(self, until):
        self._connection.bounded.until = until
        try:
            with ignoring_link():
                self._connection.close()
        finally:
            self.abort()

    def abort(self):
        for connection in self._made:
            with ignoring_link():
                if connection.bounded is not None and connection.bounded.sock is not None:
                    connection.bounded.sock.settimeout(0)  # TLS would wait for the other's good-bye
                connection.collect()
