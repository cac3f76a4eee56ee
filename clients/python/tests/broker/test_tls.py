"""amqps, through a proxy that ends it."""

import unittest

from rig import PATIENCE, BrokerTest


class TLS(BrokerTest):
    def url(self, proxy):
        return proxy.url().replace("amqp://", "amqps://")

    def refused(self, proxy):
        with self.assertLogs("belfry", "WARNING"):
            self.assertFalse(self.open(self.url(proxy), timeout=3).emit("jobs-a", {}))
        self.assertTrue(proxy.link(0).client_left.wait(PATIENCE))
        self.assertIn("ALERT", str(proxy.link(0).refusal))  # it was the client that refused
        self.assertEqual(self.received(), [])

    def test_an_event_arrives(self):
        proxy = self.proxy(tls=self.certificate("IP:127.0.0.1"))
        self.assertTrue(self.open(self.url(proxy), raise_errors=True).emit("jobs-a", {}))
        self.assertEqual(len(self.received()), 1)

    def test_the_certificate_of_another_host_is_refused(self):
        proxy = self.proxy(tls=self.certificate("DNS:elsewhere.example"))
        self.refused(proxy)

    def test_a_certificate_that_nobody_trusts_is_refused(self):
        context = self.certificate("IP:127.0.0.1")
        self.certificate("IP:127.0.0.1")  # only this one is trusted now
        self.refused(self.proxy(tls=context))

    def test_a_handshake_without_an_answer_is_bounded(self):
        proxy = self.proxy(silent=True)
        with self.assertLogs("belfry", "WARNING"):
            self.assertFalse(self.open(self.url(proxy), timeout=2).emit("jobs-a", {}))
        proxy.link(0)  # it was there, and did not answer

    def test_a_confirm_that_does_not_come_is_bounded(self):
        proxy = self.proxy(tls=self.certificate("IP:127.0.0.1"))
        emitter = self.open(self.url(proxy))
        self.assertTrue(emitter.emit("jobs-a", {}))
        self.hurry(emitter, 1)
        proxy.hold = True  # nor does a new connection get an answer
        proxy.link(0).keep_back()
        with self.assertLogs("belfry", "WARNING"):
            self.assertFalse(emitter.emit("jobs-a", {}))
        self.assertTrue(proxy.link(0).client_left.wait(PATIENCE))


if __name__ == "__main__":
    unittest.main()
