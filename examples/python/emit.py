"""Emits one event with pika: emit.py GROUP JSON

BELFRY_AMQP_URL names the broker, as pika reads it: write %2F for the virtual
host /, not a second slash. It ends with status 0 when the broker has
confirmed, and says what is wrong otherwise. docs/emitting.md explains each
property; clients/python is the same as a library.
"""

import json
import os
import sys
import time
import uuid

import pika

URL = os.environ.get("BELFRY_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")


def emit(channel, group, payload, message_id, expiration_ms=60_000):
    """Publishes payload, JSON as bytes, to group and waits for the confirm."""
    channel.basic_publish(
        exchange="belfry.emit",
        routing_key=group,
        body=payload,
        properties=pika.BasicProperties(
            message_id=message_id,          # the same when sent again: delivered once
            expiration=str(expiration_ms),  # milliseconds, as text
            content_type="application/json",
            delivery_mode=1,                # 2: survives a restart of the broker
        ),
        mandatory=True,                     # no queue: an error, not silence
    )


def main(group, text):
    payload = text.encode("utf-8")
    json.loads(payload)  # browsers get it as it is, so it had better be JSON
    message_id = str(uuid.uuid4())
    for attempt in range(5):
        try:
            connection = pika.BlockingConnection(pika.URLParameters(URL))
            channel = connection.channel()
            channel.confirm_delivery()  # from here on basic_publish waits, and raises
            emit(channel, group, payload, message_id)
            connection.close()
            return None
        except pika.exceptions.UnroutableError:
            return "no queue takes the event: has a worker ever run here?"
        except pika.exceptions.NackError:
            return "the broker refused the event: its queue is full; are the workers running?"
        except pika.exceptions.ChannelClosedByBroker as err:
            return f"the broker said no: {err.reply_code} {err.reply_text}"
        except pika.exceptions.AMQPConnectionError as err:
            # It may have arrived: the same id makes sending it again safe.
            problem = f"the broker was not reached: {type(err).__name__}"
            time.sleep(0.2 * 2**attempt)
    return problem


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: emit.py GROUP JSON")
    sys.exit(main(*sys.argv[1:]))
