"""Emits one payload with pika: pika_emit.py URL GROUP PAYLOAD"""

import sys
import uuid

import pika

url, group, payload = sys.argv[1:]
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
channel.confirm_delivery()  # a nack or a return raises
channel.basic_publish(
    exchange="belfry.emit",
    routing_key=group,
    body=payload.encode(),
    properties=pika.BasicProperties(message_id=str(uuid.uuid4()), expiration="60000"),
    mandatory=True,
)
connection.close()
