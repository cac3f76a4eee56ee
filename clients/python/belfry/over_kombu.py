"""A driver over py-amqp, the library that kombu uses, with a time limit on every wait.

py-amqp has a timeout for some of its waits, but none for a TLS handshake, the opening
of a channel, a write, or the answer to a close. So the limit is applied in the
transport, which all of them use.
"""

import socket

import amqp
import amqp.serialization
import amqp.transport

from . import keepalive, tls
from .deadline import Deadline
from .errors import LinkLost
from .resolve import resolve
from .verdict import blocked, channel_closed, connection_refused, ignoring_link, link, refused, unroutable

_LOOK = 0.01  # seconds, to read what has arrived already


class _Bounded:
    """A transport whose waits all end at the call's deadline."""

    until = None  # the Deadline of the current call
    context = None  # the TLS context
    name = None  # the host name that the broker's certificate must have

    def _bound(self):
        left, less = self.until.left(), self.sock.gettimeout()
        if not left:
            raise TimeoutError
        return left if less is None else min(left, less)

    def _connect(self, host, port, timeout):
        found = resolve(self.name, port, self.until)
        for n, (family, kind, protocol, _, address) in enumerate(found):
            self.sock = socket.socket(family, kind, protocol)
            try:
                # An address that does not answer must leave time for the others.
                self.sock.settimeout(max(self.until.left() / (len(found) - n), 0.001))
                self.sock.connect(address)
                return
            except OSError:
                self.sock.close()
                self.sock = None
                if n == len(found) - 1:
                    raise

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
    def _wrap_socket(self, sock, **_):
        return self.context.wrap_socket(sock, server_hostname=self.name, do_handshake_on_connect=False)


class _Connection(amqp.Connection):
    bounded = None  # the transport, also after the library has dropped it
    alarm = ""  # the alarm for which the broker blocks this connection

    def __init__(self, address, context, until):
        self._to, self._context, self._until = address, context, until
        super().__init__(
            host=address.endpoint(), userid=address.user, password=address.password, login_method="PLAIN",
            virtual_host=address.vhost, ssl=address.tls, socket_settings=keepalive.OPTIONS)

    def Transport(self, host, *_, ssl=False, socket_settings=None, **_options):  # noqa: N802
        self.bounded = (_TLS if self._to.tls else _Plain)(host, ssl=self._to.tls, socket_settings=socket_settings)
        self.bounded.until, self.bounded.context, self.bounded.name = self._until, self._context, self._to.host
        return self.bounded

    def on_inbound_method(self, channel_id, method_sig, payload, content):
        if method_sig == amqp.spec.Connection.Blocked:  # the library does not read its reason
            [reason], _ = amqp.serialization.loads("s", payload, 4)
            self.alarm = reason or "without a name"
        elif method_sig == amqp.spec.Connection.Unblocked:
            self.alarm = ""
        return super().on_inbound_method(channel_id, method_sig, payload, content)


class KombuDriver:
    def __init__(self, address, files, until):
        self._address = address
        self._published = 0  # the delivery tag of the last event
        self._answer = None  # "ack" or "nack" of the last event
        self._returned = False
        self._connection = None
        try:
            self._open(files, until)
        except BaseException:
            self.abort()
            raise

    def _open(self, files, until):
        with link(f"the broker at {self._address.endpoint()} was not reached", until):
            context = tls.context(files) if self._address.tls else None
            self._connection = _Connection(self._address, context, until)
            try:
                self._connection.connect()
            except amqp.exceptions.AMQPError as err:
                if not err.reply_code:
                    raise
                raise connection_refused(err.reply_code, err.reply_text, self._address) from None
            # If the broker sends notices of alarms, the library reads before each publish and
            # drops every TimeoutError that is raised there, also a signal handler's.
            self._connection.client_properties = {}
            self._channel = self._connection.channel()
            self._channel.events["basic_return"].add(self._on_return)
            self._channel.events["basic_ack"].add(lambda tag, multiple: self._on_answer("ack", tag, multiple))
            self._channel.events["basic_nack"].add(lambda tag, multiple: self._on_answer("nack", tag, multiple))
            self._channel.confirm_select()

    def publish(self, event, route, until, silence):
        message = amqp.Message(
            event.body, message_id=event.message_id, expiration=route.expiration, content_type="application/json",
            delivery_mode=route.delivery_mode, application_headers=route.headers)
        self._connection.bounded.until = silence
        self._answer, self._returned = None, False
        try:
            with link("the connection was lost", silence):
                self._published += 1
                self._channel.basic_publish(message, exchange=route.exchange, routing_key=route.key, mandatory=True)
                self._wait_for_the_answer(until)
        except LinkLost:
            if self._connection.alarm and self.usable():
                raise blocked(self._connection.alarm) from None
            raise
        if self._answer == "nack":
            raise refused()
        if self._returned:  # the broker sends it before the ack
            raise unroutable()

    def _wait_for_the_answer(self, until):
        try:
            while self._answer is None:
                self._connection.drain_events()
                if self._connection.alarm:
                    self._connection.bounded.until = until
        except amqp.exceptions.ChannelError as err:
            if not err.reply_code:  # the library's own
                raise
            raise channel_closed(err.reply_code, err.reply_text) from None

    def _on_return(self, *_):
        self._returned = True

    def _on_answer(self, answer, tag, multiple):
        """The answer may be that of an earlier event, which an alarm has delayed."""
        if tag == self._published or multiple and tag > self._published:
            self._answer = answer
        else:
            self._returned = False

    def alarm(self):
        if self._connection.alarm and self.usable():
            self._connection.bounded.until = Deadline(_LOOK)
            with ignoring_link():
                while self._connection.alarm:
                    self._connection.drain_events()
        return self._connection.alarm if self.usable() else ""

    def usable(self):
        return bool(self._connection.connected and self._channel.is_open)

    def close(self, until):
        self._connection.bounded.until = until
        try:
            with ignoring_link():
                if not self._connection.alarm:  # in an alarm the broker would not read it
                    self._connection.close()
        finally:
            self.abort()

    def abort(self):
        connection = self._connection
        if connection is None:
            return
        with ignoring_link():
            if connection.bounded is not None and connection.bounded.sock is not None:
                connection.bounded.sock.settimeout(0)  # TLS would wait for the peer's close notice
            connection.collect()
