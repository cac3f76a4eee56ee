"""Publishes one message with pika: pika_emit.py URL EXCHANGE KEY BODY [TYPE ID]"""

import sys
import uuid

import pika

url, exchange, key, body = sys.argv[1:5]
kind, message_id = sys.argv[5:] or (None, str(uuid.uuid4()))
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
channel.confirm_delivery()  # a nack or a return raises
channel.basic_publish(
    exchange=exchange,
    routing_key=key,
    body=body.encode(),
    properties=pika.BasicProperties(message_id=message_id, type=kind, expiration="60000"),
    mandatory=True,
)
connection.close()
