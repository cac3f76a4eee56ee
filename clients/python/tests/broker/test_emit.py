"""Against a real broker: BELFRY_TEST_AMQP_URL names it, and it has the exchange
belfry.emit. The tests are run once per driver by the project's test command."""

import json
import os
import threading
import unittest

import pika

import belfry

URL = os.environ["BELFRY_TEST_AMQP_URL"]
DRIVER = os.environ["BELFRY_TEST_DRIVER"]


class Broker(unittest.TestCase):
    def setUp(self):
        self.connection = pika.BlockingConnection(pika.URLParameters(URL))
        self.channel = self.connection.channel()
        self.channel.exchange_declare("belfry.emit", "topic", durable=True)
        self.queue = self.channel.queue_declare("", exclusive=True).method.queue
        self.channel.queue_bind(self.queue, "belfry.emit", "#")
        self.emitter = belfry.Emitter(URL, raise_errors=True, driver=DRIVER)

    def tearDown(self):
        self.emitter.close()
        self.connection.close()

    def received(self):
        out = []
        while True:
            method, properties, body = self.channel.basic_get(self.queue, auto_ack=True)
            if method is None:
                return out
            out.append((method.routing_key, properties, body))

    def test_an_event_arrives_with_id_and_expiration(self):
        self.assertTrue(self.emitter.emit("jobs-status_changed", {"status": "running"}))
        [(key, properties, body)] = self.received()
        self.assertEqual(key, "jobs-status_changed")
        self.assertEqual(json.loads(body), {"status": "running"})
        self.assertEqual(properties.expiration, "60000")
        self.assertEqual(properties.delivery_mode, 1)
        self.assertTrue(properties.message_id)

    def test_bytes_are_sent_as_they_are(self):
        self.emitter.emit("jobs-summary", b'{"a" :  1}')
        self.assertEqual(self.received()[0][2], b'{"a" :  1}')

    def test_threads_share_an_emitter(self):
        def work(n):
            for i in range(20):
                self.emitter.emit(f"job_events-{n}", {"counter": i})
        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        counters = {}
        for key, _, body in self.received():
            counters.setdefault(key, []).append(json.loads(body)["counter"])
        self.assertEqual(counters, {f"job_events-{n}": list(range(20)) for n in range(8)})

    def test_a_fork_opens_its_own_connection(self):
        self.emitter.emit("jobs-a", {"by": "parent"})
        child = os.fork()
        if child == 0:
            try:
                ok = self.emitter.emit("jobs-a", {"by": "child"})
                os._exit(0 if ok else 1)
            except BaseException:
                os._exit(2)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.emitter.emit("jobs-a", {"by": "parent again"})
        self.assertEqual([json.loads(b)["by"] for _, _, b in self.received()], ["parent", "child", "parent again"])

    def test_a_lost_connection_is_opened_again(self):
        self.emitter.emit("jobs-a", {"n": 1})
        self.emitter._driver.close()
        self.emitter.emit("jobs-a", {"n": 2})
        self.assertEqual([json.loads(b)["n"] for _, _, b in self.received()], [1, 2])

    def test_no_queue_is_unroutable(self):
        self.channel.queue_unbind(self.queue, "belfry.emit", "#")
        with self.assertRaises(belfry.Unroutable):
            self.emitter.emit("jobs-a", {})

    def test_a_full_queue_refuses(self):
        full = self.channel.queue_declare(
            "", exclusive=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"}).method.queue
        self.channel.queue_bind(full, "belfry.emit", "full-#")
        self.channel.queue_bind(full, "belfry.emit", "full-x")
        with self.assertRaises(belfry.Refused):
            for _ in range(5):
                self.emitter.emit("full-x", {})

    def test_nothing_is_raised_unless_asked_for(self):
        quiet = belfry.Emitter("amqp://guest:guest@127.0.0.1:1/", timeout=0.5, driver=DRIVER)
        with self.assertLogs("belfry", "WARNING") as seen:
            self.assertFalse(quiet.emit("jobs-a", {}))
            self.assertFalse(quiet.emit("no dash", {}))
            self.assertFalse(quiet.emit("jobs-a", object()))
        self.assertEqual(quiet.failed, 3)
        self.assertNotIn("guest:guest", "".join(seen.output))

    def test_towers_call(self):
        belfry.configure(url=URL, driver=DRIVER)
        self.assertTrue(belfry.emit_channel_notification("jobs-summary", {"unified_job_id": 1}))
        self.assertEqual(self.received()[0][0], "jobs-summary")


if __name__ == "__main__":
    unittest.main()
