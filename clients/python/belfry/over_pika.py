"""A driver over pika with a time limit on every wait.

pika's BlockingConnection waits for a confirm as long as the socket lives, and its
timers do not run meanwhile. So this driver runs the loop of a SelectConnection itself,
until the call's deadline, through pika's public interface for custom loops.
"""

import pika
from pika.adapters.select_connection import IOLoop
from pika.adapters.utils.nbio_interface import AbstractIOReference
from pika.adapters.utils.selector_ioloop_adapter import SelectorIOServicesAdapter

from . import keepalive, tls
from .errors import LinkLost, about_link
from .resolve import resolve
from .verdict import blocked, channel_closed, connection_refused, ignoring_link, link, refused, unroutable

# An abort takes a few callbacks, each of which schedules the next.
_STEPS_OF_AN_ABORT = 20


class _Found(AbstractIOReference):
    """A finished name look-up."""

    def cancel(self):
        return False


class _Services(SelectorIOServicesAdapter):
    """pika's I/O services, which also expose the transport and the exception that ended
    it, and use broker addresses that were resolved before.

    pika only keeps the text of the exception that ended a stream. But a signal handler
    may raise anywhere, also where pika takes every exception for a broken stream.
    """

    transport = None
    cause = None
    found = ()

    def getaddrinfo(self, host, port, on_done, family=0, socktype=0, proto=0, flags=0):
        self.get_native_ioloop().add_callback_threadsafe(lambda: on_done(self.found))
        return _Found()

    def connect_socket(self, sock, resolved_addr, on_done):
        def connected(err):
            self.cause = err
            on_done(err)

        return super().connect_socket(sock, resolved_addr, connected)

    def create_streaming_connection(self, protocol_factory, sock, on_done, ssl_context=None, server_hostname=None):
        keepalive.on(sock)

        def protocol():
            made = protocol_factory()
            connection_lost = made.connection_lost

            def ended(error):
                self.transport, self.cause = None, error
                connection_lost(error)

            made.connection_lost = ended
            return made

        def linked(result):
            if isinstance(result, BaseException):
                self.cause = result
            else:
                self.transport = result[0]
            on_done(result)

        return super().create_streaming_connection(protocol, sock, linked, ssl_context, server_hostname)


class PikaDriver:
    def __init__(self, address, files, until):
        self._address = address
        self._ended = None  # why the connection has ended
        self._refused = None  # the broker's close frame if it refused the connection
        self._closed = None  # why the broker closed the channel
        self._alarm = ""  # the alarm for which the broker blocks this connection
        self._published = 0  # the delivery tag of the last event on this channel
        self._answer = None  # the ack or nack of the last event
        self._returned = False
        self._connection = self._channel = None
        self._loop = IOLoop()
        self._services = _Services(self._loop)
        try:
            self._open(files, until)
        except BaseException:
            self.abort()
            raise

    def _open(self, files, until):
        with link(f"the broker at {self._address.endpoint()} was not reached", until, self._cause):
            parameters = self._parameters(files)
            self._services.found = resolve(self._address.host, self._address.port, until)
            # pika tries the addresses one after the other, each for socket_timeout.
            parameters.socket_timeout = max(until.left() / len(self._services.found), 0.001)
            parameters.stack_timeout = max(until.left(), 0.001)
            self._loop.activate_poller()
            self._connection = pika.SelectConnection(
                parameters, on_open_error_callback=self._on_end, on_close_callback=self._on_end,
                custom_ioloop=self._services)
            self._connection.callbacks.add(0, pika.spec.Connection.Close, self._on_refusal)
            self._connection.add_on_connection_blocked_callback(self._on_blocked)
            self._connection.add_on_connection_unblocked_callback(self._on_unblocked)
            self._turn(lambda: self._connection.is_open or self._refused is not None and self._ended is not None, until)
            if self._connection.is_open:
                self._open_channel(until)
        if self._channel is None:
            raise connection_refused(self._refused.reply_code, self._refused.reply_text, self._address)

    def _parameters(self, files):
        address = self._address
        return pika.ConnectionParameters(
            host=address.host, port=address.port, virtual_host=address.vhost,
            credentials=pika.PlainCredentials(address.user, address.password), connection_attempts=1,
            ssl_options=pika.SSLOptions(tls.context(files), address.host) if address.tls else None)

    def _open_channel(self, until):
        self._channel = self._connection.channel(on_open_callback=lambda _: None)
        self._channel.add_on_close_callback(self._on_channel_end)
        self._channel.add_on_return_callback(self._on_return)
        self._turn(lambda: self._channel.is_open, until)
        selected = []
        self._channel.confirm_delivery(self._on_answer, callback=selected.append)
        self._turn(lambda: selected, until)

    def publish(self, event, route, until, silence):
        self._answer, self._returned = None, False
        properties = pika.BasicProperties(
            message_id=event.message_id, expiration=route.expiration, content_type="application/json",
            delivery_mode=route.delivery_mode, headers=route.headers or None)
        try:
            with link("the connection was lost", silence, self._cause):
                self._published += 1
                self._channel.basic_publish(route.exchange, route.key, event.body, properties, mandatory=True)
                self._turn(lambda: self._answered() or self._alarm, silence)
                self._turn(self._answered, until)
        except LinkLost:
            if self._alarm and self.usable():
                raise blocked(self._alarm) from None
            raise
        if self._closed is not None:
            raise channel_closed(self._closed.reply_code, self._closed.reply_text)
        if isinstance(self._answer, pika.spec.Basic.Nack):
            raise refused()
        if self._returned:  # the broker sends it before the ack
            raise unroutable()

    def _answered(self):
        return self._answer is not None or self._closed is not None

    def alarm(self):
        if self._alarm and self.usable():
            with ignoring_link():
                self._loop.call_later(0, lambda: None)  # so that poll does not wait
                self._loop.poll()
                self._loop.process_timeouts()
        return self._alarm if self.usable() else ""

    def usable(self):
        return self._ended is None and self._channel.is_open

    def close(self, until):
        try:
            with ignoring_link():
                if not self._alarm:  # in an alarm the broker would not read it
                    self._connection.close()
                    self._turn(lambda: self._ended is not None, until)
        finally:
            self.abort()

    def abort(self):
        try:
            with ignoring_link():
                if self._connection is not None and not (self._connection.is_closing or self._connection.is_closed):
                    self._connection.close()  # marks the close as intended; nothing is sent before the abort
                if self._services.transport is not None:
                    self._services.transport.abort()
                for _ in range(_STEPS_OF_AN_ABORT):
                    if self._ended is not None:
                        break
                    self._loop.process_timeouts()
        finally:
            self._loop.close()

    def _turn(self, done, until):
        """Runs the loop until done(), and raises what has ended the connection before that."""
        alarm = self._loop.call_later(until.left(), lambda: None)  # ends the last poll in time
        try:
            while True:
                cause = self._services.cause
                if cause is not None and not about_link(cause):
                    raise cause
                if done():
                    return
                if self._ended is not None:
                    raise self._ended
                if until.over():
                    raise TimeoutError
                self._loop.poll()
                self._loop.process_timeouts()
        finally:
            self._loop.remove_timeout(alarm)

    def _cause(self, err):
        """Returns the exception from which pika made err."""
        return self._services.cause if isinstance(err, pika.exceptions.AMQPError) and self._services.cause else err

    def _on_end(self, _connection, reason):
        self._ended = reason

    def _on_refusal(self, frame):
        self._refused = frame.method

    def _on_blocked(self, _connection, frame):
        self._alarm = frame.method.reason or "without a name"

    def _on_unblocked(self, *_):
        self._alarm = ""

    def _on_channel_end(self, _channel, reason):
        if isinstance(reason, pika.exceptions.ChannelClosedByBroker):
            self._closed = reason

    def _on_return(self, *_):
        self._returned = True

    def _on_answer(self, frame):
        """The answer may be that of an earlier event, which an alarm has delayed."""
        method = frame.method
        if method.delivery_tag == self._published or method.multiple and method.delivery_tag > self._published:
            self._answer = method
        else:
            self._returned = False
