"""A broker that is lost for a while, and comes back."""

import unittest

import pika

from rig import PATIENCE, URL, BrokerTest, command, in_thread


class Loss(BrokerTest):
    def setUp(self):
        super().setUp()
        self.channel.queue_delete(self.queue)
        # This one is there again after the broker has ended.
        self.queue = self.id()
        self.channel.queue_declare(self.queue, durable=True)
        self.channel.queue_bind(self.queue, "belfry.emit", "#")

    def come_back(self):
        """A connection of the test's own, which was lost too."""
        self.connection = pika.BlockingConnection(pika.URLParameters(URL))
        self.addCleanup(self.connection.close)
        self.channel = self.connection.channel()
        self.addCleanup(self.channel.queue_delete, self.queue)

    def test_a_broker_that_was_killed(self):
        emitter = self.open(raise_errors=True, persistent=True, timeout=3 * PATIENCE)
        self.assertTrue(emitter.emit("jobs-a", {"n": 1}, message_id="first"))
        self._cleanups.clear()
        command("kill")
        during = in_thread(emitter.emit, "jobs-a", {"n": 2}, "second")
        command("start")
        self.assertTrue(during())
        self.assertTrue(emitter.emit("jobs-a", {"n": 3}, message_id="third"))
        self.addCleanup(emitter.close)
        self.come_back()
        self.assertEqual([(p.message_id, b) for _, p, b in self.received()],
                         [("first", b'{"n":1}'), ("second", b'{"n":2}'), ("third", b'{"n":3}')])

    def test_connections_that_the_broker_closed(self):
        emitter = self.open(raise_errors=True)
        self.assertTrue(emitter.emit("jobs-a", {"n": 1}))
        self._cleanups.clear()
        command("close-connections")
        self.assertTrue(emitter.emit("jobs-a", {"n": 2}))
        self.addCleanup(emitter.close)
        self.come_back()
        self.assertEqual([b for _, _, b in self.received()], [b'{"n":1}', b'{"n":2}'])


class SameId(BrokerTest):
    def test_an_event_whose_confirm_was_lost_is_sent_again_with_its_id(self):
        proxy = self.proxy()
        emitter = self.open(proxy.url(), raise_errors=True)
        self.assertTrue(emitter.emit("jobs-a", {"n": 1}))
        proxy.link(0).keep_back()
        emitting = in_thread(emitter.emit, "jobs-a", {"n": 2})  # with an id of the emitter's own
        self.assertTrue(proxy.link(0).withheld.wait(PATIENCE))  # the broker has it, and has said so
        proxy.link(0).cut()
        self.assertTrue(emitting())
        events = self.received()
        self.assertEqual([b for _, _, b in events], [b'{"n":1}', b'{"n":2}', b'{"n":2}'])
        first, second, again = (p.message_id for _, p, _ in events)
        self.assertEqual(second, again)
        self.assertNotEqual(first, second)
        self.assertEqual((emitter.emitted, emitter.failed), (2, 0))


if __name__ == "__main__":
    unittest.main()
