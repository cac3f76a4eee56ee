"""A broker that says nothing more: no call lasts longer than it may.

That a call ended in time is seen by the order of things: the broker is still
paused, or a call with more time is still waiting. What hangs ends with the run.
"""

import unittest

from rig import PATIENCE, BrokerTest, command, in_thread


class PausedBroker(BrokerTest):
    def pause(self):
        command("pause")
        self.addCleanup(command, "resume")

    def test_an_event_ends_without_a_confirm_and_the_next_goes(self):
        emitter = self.open()
        self.assertTrue(emitter.emit("jobs-a", {"n": 1}))
        self.hurry(emitter, 1)
        command("pause")
        try:
            with self.assertLogs("belfry", "WARNING") as seen:
                self.assertFalse(emitter.emit("jobs-a", {"n": 2}))
        finally:
            command("resume")
        self.assertIn("it did not answer within the time of this call", "".join(seen.output))
        self.hurry(emitter, PATIENCE)
        self.until_it_goes(emitter, "jobs-a", {"n": 3})
        # Without a confirm nobody knows whether the second arrived.
        self.assertRegex(b"".join(b for _, _, b in self.received()), rb'^{"n":1}({"n":2}){0,2}{"n":3}$')

    def test_connecting_ends_too(self):
        emitter = self.open(timeout=1)
        self.pause()
        with self.assertLogs("belfry", "WARNING"):
            self.assertFalse(emitter.emit("jobs-a", {}))

    def test_closing_ends_too(self):
        emitter = self.open()
        self.assertTrue(emitter.emit("jobs-a", {}))
        self.hurry(emitter, 1)
        self.pause()
        emitter.close()

    def test_every_thread_that_waits_for_another_ends(self):
        emitter = self.open()
        self.assertTrue(emitter.emit("jobs-a", {}))
        self.hurry(emitter, 1)
        self.pause()
        with self.assertLogs("belfry", "WARNING"):
            for wait in [in_thread(emitter.emit, "jobs-a", {}) for _ in range(5)]:
                self.assertFalse(wait())
        self.assertEqual((emitter.emitted, emitter.failed), (1, 5))


class Held(BrokerTest):
    """The same at chosen moments, by a proxy that keeps things back."""

    def test_a_thread_does_not_wait_for_another_beyond_its_own_time(self):
        proxy = self.proxy()
        emitter = self.open(proxy.url())
        self.assertTrue(emitter.emit("jobs-a", {"n": 1}))
        proxy.link(0).keep_back()
        longer = in_thread(emitter.emit, "jobs-a", {"n": 2})
        self.assertTrue(proxy.link(0).withheld.wait(PATIENCE))
        self.hurry(emitter, 0.5)
        with self.assertLogs("belfry", "WARNING") as seen:
            self.assertFalse(emitter.emit("jobs-a", {"n": 3}))
        self.assertIn("nothing was sent", "".join(seen.output))
        proxy.link(0).let_go()  # the first is still there to take its answer
        self.assertTrue(longer())
        self.assertEqual([b for _, _, b in self.received()], [b'{"n":1}', b'{"n":2}'])

    def test_each_step_of_connecting_is_bounded(self):
        proxy = self.proxy(hold=True)
        with self.assertLogs("belfry", "WARNING"):
            self.assertFalse(self.open(proxy.url(), timeout=2).emit("jobs-a", {}))
        self.assertTrue(proxy.link(0).client_left.wait(PATIENCE))  # and nothing is left open

    def test_a_write_that_is_not_taken_is_bounded(self):
        proxy = self.proxy(receive_buffer=4096)
        emitter = self.open(proxy.url())
        self.assertTrue(emitter.emit("jobs-a", {}))
        self.hurry(emitter, 2)
        proxy.stop_reading()
        large = b'"' + b"x" * ((1 << 20) - 2) + b'"'
        with self.assertLogs("belfry", "WARNING"):
            self.assertFalse(emitter.emit("jobs-a", large))
        self.assertEqual(self.received()[1:], [])  # it never came as far as its end

    def test_trying_again_ends_too(self):
        proxy = self.proxy()
        proxy.close()  # every connection is refused from here on
        emitter = self.open(proxy.url(), timeout=1)
        with self.assertLogs("belfry", "WARNING"):
            self.assertFalse(emitter.emit("jobs-a", {}))


if __name__ == "__main__":
    unittest.main()
