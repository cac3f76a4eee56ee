"""Orders to end connections, at the broker."""

import unittest

import belfry
from rig import BrokerTest


class Disconnect(BrokerTest):
    def setUp(self):
        super().setUp()
        self.channel.exchange_declare("belfry.disconnect", "fanout", durable=True)
        self.addCleanup(self.channel.exchange_delete, "belfry.disconnect")

    def test_an_order_arrives_and_does_not_expire(self):
        self.channel.queue_bind(self.queue, "belfry.disconnect")
        self.emitter.disconnect(7, "s")
        [(_, properties, body)] = self.received()
        self.assertEqual(body, b'{"user":7,"session":"s"}')
        self.assertEqual((properties.expiration, properties.delivery_mode), (None, 2))
        self.assertTrue(properties.message_id)

    def test_an_order_that_nobody_takes_is_raised_also_by_a_quiet_emitter(self):
        with self.assertRaises(belfry.Unroutable):
            self.open().disconnect(7)

    def test_events_and_orders_share_the_connection(self):
        self.channel.queue_bind(self.queue, "belfry.disconnect")
        self.emitter.emit("jobs-summary", {"n": 1})
        self.emitter.disconnect("ann")
        self.emitter.emit("jobs-summary", {"n": 2})
        self.assertEqual([body for _, _, body in self.received()], [b'{"n":1}', b'{"user":"ann"}', b'{"n":2}'])


if __name__ == "__main__":
    unittest.main()
