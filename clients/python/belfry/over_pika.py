"""pika, with a bound on every wait.

BlockingConnection waits for a confirm for as long as the socket lives, and its
timers do not run meanwhile. So this turns the loop of a SelectConnection, for
as long as the call has, with what pika makes public for those who bring a loop.
"""

import pika
from pika.adapters.select_connection import IOLoop
from pika.adapters.utils.selector_ioloop_adapter import SelectorIOServicesAdapter

from .errors import about_link
from .verdict import channel_closed, ignoring_link, link, refused, unroutable, usable_url

# An abort is a few callbacks, each of which asks for the next.
_STEPS_OF_AN_ABORT = 20


class _Services(SelectorIOServicesAdapter):
    """pika's own I/O, which also tells its transport and what ended that.

    pika keeps of the exception that ended a stream only its text, and a signal
    may raise anywhere, also where pika takes everything for a broken stream.
    """

    transport = None
    cause = None

    def create_streaming_connection(self, protocol_factory, sock, on_done, ssl_context=None, server_hostname=None):
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
    def __init__(self, url, until):
        self._ended = None  # why the connection is over
        self._closed = None  # why the broker closed the channel
        self._answer = None  # the ack or nack of the event that is on its way
        self._returned = False
        self._connection = self._channel = None
        self._loop = IOLoop()
        self._services = _Services(self._loop)
        try:
            self._open(url, until)
        except BaseException:
            self.abort()
            raise

    def _open(self, url, until):
        with usable_url():
            parameters = pika.URLParameters(url)
        parameters.connection_attempts = 1
        parameters.socket_timeout = parameters.stack_timeout = max(until.left(), 0.001)
        with link("the broker was not reached", until):
            self._loop.activate_poller()
            self._connection = pika.SelectConnection(
                parameters, on_open_error_callback=self._on_end, on_close_callback=self._on_end,
                custom_ioloop=self._services)
            self._turn(lambda: self._connection.is_open, until)
            self._channel = self._connection.channel(on_open_callback=lambda _: None)
            self._channel.add_on_close_callback(self._on_channel_end)
            self._channel.add_on_return_callback(self._on_return)
            self._turn(lambda: self._channel.is_open, until)
            selected = []
            self._channel.confirm_delivery(self._on_answer, callback=selected.append)
            self._turn(lambda: selected, until)

    def publish(self, event, route, until):
        self._answer, self._returned = None, False
        properties = pika.BasicProperties(
            message_id=event.message_id, expiration=route.expiration, content_type="application/json",
            delivery_mode=route.delivery_mode, headers=route.headers or None)
        with link("the connection was lost", until):
            self._channel.basic_publish(route.exchange, route.key, event.body, properties, mandatory=True)
            self._turn(lambda: self._answer is not None or self._closed is not None, until)
        if self._closed is not None:
            raise channel_closed(self._closed.reply_code, self._closed.reply_text)
        if isinstance(self._answer, pika.spec.Basic.Nack):
            raise refused()
        if self._returned:  # the broker sends it before the ack
            raise unroutable()

    def usable(self):
        return self._ended is None and self._channel.is_open

    def close(self, until):
        try:
            with ignoring_link():
                self._connection.close()
                self._turn(lambda: self._ended is not None, until)
        finally:
            self.abort()

    def abort(self):
        try:
            with ignoring_link():
                if self._connection is not None and not (self._connection.is_closing or self._connection.is_closed):
                    self._connection.close()  # says whose will it was; what it wants to send is not waited for
                if self._services.transport is not None:
                    self._services.transport.abort()
                for _ in range(_STEPS_OF_AN_ABORT):
                    if self._ended is not None:
                        break
                    self._loop.process_timeouts()
        finally:
            self._loop.close()

    def _turn(self, done, until):
        """Turns the loop until done(), and raises what ended it before."""
        alarm = self._loop.call_later(until.left(), lambda: None)  # ends the last poll
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

    def _on_end(self, _connection, reason):
        self._ended = reason

    def _on_channel_end(self, _channel, reason):
        if isinstance(reason, pika.exceptions.ChannelClosedByBroker):
            self._closed = reason

    def _on_return(self, *_):
        self._returned = True

    def _on_answer(self, frame):
        self._answer = frame.method
