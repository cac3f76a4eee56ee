"""A connection that died without a word: the first event after it is not lost."""

import unittest

from rig import PATIENCE, BrokerTest, in_thread, only_in_full


class SilentLink(BrokerTest):
    def connected(self, **options):
        """A proxy and an emitter that has a connection through it."""
        proxy = self.proxy(**options)
        emitter = self.open(proxy.url())
        self.assertTrue(emitter.emit("jobs-a", {"n": 1}, message_id="first"))
        return proxy, emitter

    def arrived(self):
        return [(p.message_id, b) for _, p, b in self.received()]

    def test_nothing_is_taken_and_nothing_comes_back(self):
        proxy, emitter = self.connected()
        self.hurry(emitter, 6)
        proxy.link(0).stop_reading()
        proxy.link(0).keep_back()
        with self.assertNoLogs("belfry", "WARNING"):
            self.assertIs(emitter.emit("jobs-a", {"n": 2}, message_id="second"), True)
        self.assertEqual(self.arrived(), [("first", b'{"n":1}'), ("second", b'{"n":2}')])
        self.assertEqual(len(proxy.links), 2)
        self.assertTrue(emitter.emit("jobs-a", {"n": 3}))
        self.assertEqual(len(proxy.links), 2)

    def test_only_the_answers_do_not_come_back(self):
        proxy, emitter = self.connected()
        self.hurry(emitter, 6)
        proxy.link(0).keep_back()
        self.assertIs(emitter.emit("jobs-a", {"n": 2}, message_id="second"), True)
        # Twice, with the same id: Belfry delivers it once.
        self.assertEqual(self.arrived(), [("first", b'{"n":1}'), ("second", b'{"n":2}'), ("second", b'{"n":2}')])

    @only_in_full
    def test_a_large_event(self):
        proxy, emitter = self.connected(receive_buffer=4096)
        self.hurry(emitter, 8)
        proxy.link(0).stop_reading()
        proxy.link(0).keep_back()
        large = b'"' + b"x" * ((1 << 20) - 2) + b'"'
        self.assertIs(emitter.emit("jobs-a", large), True)
        self.assertEqual(self.arrived()[1][1], large)

    def test_every_event_of_waiting_threads(self):
        proxy, emitter = self.connected()
        self.hurry(emitter, 12)
        proxy.link(0).stop_reading()
        proxy.link(0).keep_back()
        for wait in [in_thread(emitter.emit, f"jobs-{n}", {}) for n in range(8)]:
            self.assertIs(wait(), True)

    @only_in_full
    def test_an_order_to_end_connections(self):
        self.channel.exchange_declare("belfry.disconnect", "fanout", durable=True)
        self.addCleanup(self.channel.exchange_delete, "belfry.disconnect")
        self.channel.queue_bind(self.queue, "belfry.disconnect")
        proxy, emitter = self.connected()
        self.hurry(emitter, 6)
        proxy.link(0).stop_reading()
        proxy.link(0).keep_back()
        emitter.disconnect(7)
        self.assertEqual(self.arrived()[1][1], b'{"user":7}')



if __name__ == "__main__":
    unittest.main()
