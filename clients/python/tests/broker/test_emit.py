"""What arrives at the broker, and what its answers become."""

import json
import unittest

import belfry
from rig import DRIVER, PATIENCE, URL, BrokerTest, in_thread


class Emit(BrokerTest):
    def test_an_event_arrives_with_id_and_expiration(self):
        emitter = belfry.Emitter(URL, driver=DRIVER, timeout=PATIENCE)
        self.addCleanup(emitter.close)
        self.assertTrue(emitter.emit("jobs-status_changed", {"status": "läuft"}))
        [(key, properties, body)] = self.received()
        self.assertEqual(key, "jobs-status_changed")
        self.assertEqual(body, '{"status":"läuft"}'.encode())
        self.assertEqual(properties.expiration, "60000")
        self.assertEqual(properties.delivery_mode, 1)
        self.assertTrue(properties.message_id)
        self.assertFalse(properties.headers)

    def test_bytes_are_sent_as_they_are(self):
        self.emitter.emit("jobs-summary", b'{"a" :  1}')
        self.assertEqual(self.received()[0][2], b'{"a" :  1}')

    def test_what_the_caller_sets_travels(self):
        emitter = self.open(raise_errors=True, expiration=1.001, persistent=True)
        emitter.emit("jobs-summary", {}, message_id="mine", traceparent="00-a-b-01")
        [(_, properties, _)] = self.received()
        self.assertEqual(
            (properties.message_id, properties.expiration, properties.delivery_mode, properties.headers),
            ("mine", "1001", 2, {"traceparent": "00-a-b-01"}))

    def test_the_hook_traces_events_that_bring_no_traceparent(self):
        emitter = self.open(raise_errors=True, trace=lambda group: "of " + group)
        emitter.emit("jobs-a", {})
        emitter.emit("jobs-a", {}, traceparent="mine")
        self.assertEqual([p.headers for _, p, _ in self.received()],
                         [{"traceparent": "of jobs-a"}, {"traceparent": "mine"}])

    def test_with_shards_group_and_traceparent_are_headers(self):
        self.channel.exchange_declare("belfry.emit.v2.n4", "direct", durable=True)
        self.addCleanup(self.channel.exchange_delete, "belfry.emit.v2.n4")
        for shard in range(4):
            self.channel.queue_bind(self.queue, "belfry.emit.v2.n4", str(shard))
        emitter = self.open(raise_errors=True, shards=4)
        emitter.emit("jobs-summary", {}, traceparent="00-a-b-01")
        [(key, properties, _)] = self.received()
        self.assertEqual(key, str(belfry.shard_of("jobs-summary", 4)))
        self.assertEqual(properties.headers, {"group": "jobs-summary", "traceparent": "00-a-b-01"})

    def test_threads_share_an_emitter_in_order(self):
        def work(n):
            return [self.emitter.emit(f"job_events-{n}", {"counter": i}) for i in range(20)]
        for wait in [in_thread(work, n) for n in range(8)]:
            self.assertEqual(wait(), [True] * 20)
        counters = {}
        for key, _, body in self.received():
            counters.setdefault(key, []).append(json.loads(body)["counter"])
        self.assertEqual(counters, {f"job_events-{n}": list(range(20)) for n in range(8)})
        self.assertEqual((self.emitter.emitted, self.emitter.failed), (160, 0))

    def test_no_queue_is_unroutable_and_the_connection_stays(self):
        self.channel.queue_unbind(self.queue, "belfry.emit", "#")
        for _ in range(2):
            with self.assertRaises(belfry.Unroutable):
                self.emitter.emit("jobs-a", {})
        driver = self.emitter._driver
        self.channel.queue_bind(self.queue, "belfry.emit", "#")
        self.assertTrue(self.emitter.emit("jobs-a", {}))
        self.assertIs(self.emitter._driver, driver)

    def test_no_exchange_is_unroutable_and_the_next_event_goes(self):
        emitter = self.open(raise_errors=True, shards=77)
        for _ in range(2):
            with self.assertRaises(belfry.Unroutable) as seen:
                emitter.emit("jobs-a", {})
            self.assertIn("BELFRY_SHARDS", str(seen.exception))

    def test_a_full_queue_refuses_and_the_connection_stays(self):
        full = self.channel.queue_declare(
            "", exclusive=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"}).method.queue
        self.channel.queue_bind(full, "belfry.emit", "full-x")
        with self.assertRaises(belfry.Refused):
            for _ in range(5):
                self.emitter.emit("full-x", {})
        driver = self.emitter._driver
        self.assertTrue(self.emitter.emit("jobs-a", {}))
        self.assertIs(self.emitter._driver, driver)

    def test_a_user_who_may_not_publish_is_told_at_once(self):
        # Nobody may publish to an internal exchange.
        self.channel.exchange_declare("belfry.emit.v2.n99", "direct", internal=True)
        self.addCleanup(self.channel.exchange_delete, "belfry.emit.v2.n99")
        with self.assertRaises(belfry.EmitError) as seen:
            self.open(raise_errors=True, shards=99).emit("jobs-a", {})
        self.assertIs(type(seen.exception), belfry.EmitError)
        self.assertIn("403", str(seen.exception))

    def test_nothing_is_raised_unless_asked_for(self):
        quiet = self.open("amqp://guest:hush@127.0.0.1:1/", timeout=0.5)
        with self.assertLogs(level="DEBUG") as seen:
            self.assertFalse(quiet.emit("jobs-a", {}))
            self.assertFalse(quiet.emit("no dash", {}))
            self.assertFalse(quiet.emit("jobs-a", object()))
        self.assertEqual((quiet.emitted, quiet.failed), (0, 3))
        self.assertNotIn("hush", "".join(seen.output))

    def test_a_wrong_password_is_in_no_message(self):
        wrong = self.open(URL.replace("guest:guest", "guest:hush%2Fhush"), timeout=2)
        with self.assertLogs(level="DEBUG") as seen:
            self.assertFalse(wrong.emit("jobs-a", {}))
        self.assertIn("event for group 'jobs-a' was not emitted", "".join(seen.output))
        self.assertNotIn("hush", "".join(seen.output))

    def test_towers_call(self):
        emitter = belfry.configure(url=URL, driver=DRIVER, timeout=PATIENCE)
        self.addCleanup(emitter.close)
        self.assertTrue(belfry.emit_channel_notification("jobs-summary", {"unified_job_id": 1}, traceparent="t"))
        [(key, properties, _)] = self.received()
        self.assertEqual((key, properties.headers), ("jobs-summary", {"traceparent": "t"}))
        self.assertIs(belfry.default_emitter(), emitter)


if __name__ == "__main__":
    unittest.main()
