"""Two AMQP libraries behind one method: publish, confirmed and mandatory.

A driver is used by one thread at a time. Its publish returns when the broker
has confirmed, or raises Refused, Unroutable or LinkLost.
"""

from .errors import EmitError, LinkLost, Refused, Unroutable

_FULL = "the broker refused the event: its queue is full; are the workers running?"
_NO_QUEUE = "no queue takes the event: start a worker once, and compare BELFRY_SHARDS with the workers'"


def open_driver(name, url, timeout):
    """Opens a connection with the named library, or with the first installed."""
    for candidate, driver in (("pika", PikaDriver), ("kombu", KombuDriver)):
        if name not in (None, candidate):
            continue
        try:
            return driver(url, timeout)
        except ImportError:
            if name is not None:
                raise EmitError(f"the library {name} is not installed") from None
    raise EmitError("neither pika nor kombu is installed: install one of them")


class PikaDriver:
    """pika's BlockingConnection."""

    def __init__(self, url, timeout):
        import pika
        self._pika = pika
        parameters = pika.URLParameters(url)
        parameters.socket_timeout = timeout
        parameters.stack_timeout = timeout
        parameters.blocked_connection_timeout = timeout
        parameters.connection_attempts = 1
        try:
            self._connection = pika.BlockingConnection(parameters)
            self._channel = self._connection.channel()
            self._channel.confirm_delivery()
        except (pika.exceptions.AMQPError, OSError) as err:
            raise LinkLost(f"the broker was not reached: {type(err).__name__}") from None

    def publish(self, exchange, key, headers, body, message_id, expiration_ms, persistent):
        pika = self._pika
        properties = pika.BasicProperties(
            message_id=message_id, expiration=str(expiration_ms), content_type="application/json",
            delivery_mode=2 if persistent else 1, headers=headers or None)
        try:
            self._channel.basic_publish(exchange, key, body, properties, mandatory=True)
        except pika.exceptions.UnroutableError:
            raise Unroutable(_NO_QUEUE) from None
        except pika.exceptions.NackError:
            raise Refused(_FULL) from None
        except pika.exceptions.ChannelClosedByBroker as err:
            if err.reply_code == 404:
                raise Unroutable(_NO_QUEUE) from None
            raise EmitError(f"the broker closed the channel: {err.reply_code} {err.reply_text}") from None
        except (pika.exceptions.AMQPError, OSError) as err:
            raise LinkLost(f"the connection was lost: {type(err).__name__}") from None

    def close(self):
        try:
            self._connection.close()
        except (self._pika.exceptions.AMQPError, OSError):
            pass  # it was lost already


class KombuDriver:
    """kombu over py-amqp."""

    def __init__(self, url, timeout):
        import amqp
        import kombu
        self._amqp = amqp
        self._timeout = timeout
        self._returned = False
        try:
            self._connection = kombu.Connection(
                url, connect_timeout=timeout,
                transport_options={"confirm_publish": True, "read_timeout": timeout, "write_timeout": timeout})
            self._connection.connect()
            self._channel = self._connection.channel()
            self._channel.events["basic_return"].add(self._on_return)
        except (amqp.exceptions.AMQPError, OSError) as err:
            raise LinkLost(f"the broker was not reached: {type(err).__name__}") from None

    def _on_return(self, *_):
        self._returned = True

    def publish(self, exchange, key, headers, body, message_id, expiration_ms, persistent):
        amqp = self._amqp
        message = amqp.Message(
            body, message_id=message_id, expiration=str(expiration_ms), content_type="application/json",
            delivery_mode=2 if persistent else 1, application_headers=headers)
        self._returned = False
        try:
            # The broker sends a return before the confirm, so the flag is set by then.
            self._channel.basic_publish_confirm(
                message, exchange=exchange, routing_key=key, mandatory=True, timeout=self._timeout)
        except amqp.exceptions.MessageNacked:
            raise Refused(_FULL) from None
        except amqp.exceptions.NotFound:
            raise Unroutable(_NO_QUEUE) from None
        except (amqp.exceptions.AMQPError, OSError) as err:
            raise LinkLost(f"the connection was lost: {type(err).__name__}") from None
        if self._returned:
            raise Unroutable(_NO_QUEUE)

    def close(self):
        try:
            self._connection.release()
        except (self._amqp.exceptions.AMQPError, OSError):
            pass  # it was lost already
