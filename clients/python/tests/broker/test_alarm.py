"""A broker whose alarm blocks all who publish."""

import os
import subprocess
import sys
import unittest

import belfry
from rig import DRIVER, PATIENCE, URL, BrokerTest, command, in_thread, only_in_full


class Alarm(BrokerTest):
    def raise_alarm(self, which):
        command(f"{which}-alarm")
        self.addCleanup(command, "no-alarm")

    def end_alarm(self):
        self._cleanups.pop()
        command("no-alarm")

    def blocked(self, emitter, name, payload):
        """Emits many times. If each took its time, it would take longer than the run may."""
        with self.assertLogs("belfry", "WARNING") as seen:
            for _ in range(200):
                with self.assertRaisesRegex(belfry.Blocked, name):
                    emitter.emit("jobs-a", payload)
        self.assertEqual(len(seen.output), 1)

    def test_memory(self):
        first, second, third, fourth = (self.open(raise_errors=True) for _ in range(4))
        proxy = self.proxy()
        lost = self.open(proxy.url())
        for emitter in (first, third, lost):
            self.assertTrue(emitter.emit("jobs-a", {"n": 0}))
        self.hurry(lost, 1)
        self.hurry(first, 2)
        self.hurry(second, 2)
        self.raise_alarm("memory")
        with self.subTest("a connection that was there"):
            self.blocked(first, "low on memory", {"n": 1})
        with self.subTest("a first event"):
            self.blocked(second, "low on memory", {"n": 2})
        with self.subTest("closing"):
            self.hurry(second, PATIENCE * 10)
            second.close()  # it would wait for longer than the run may take
        with self.subTest("the end of a process"):
            self.end_of_a_process()
        with self.subTest("a connection that is lost meanwhile"), self.assertLogs("belfry", "WARNING"):
            self.assertFalse(lost.emit("jobs-b", {}))
            proxy.link(0).cut()
            self.assertTrue(proxy.link(0).client_left.wait(PATIENCE))
        # An event waits for the end of an alarm for as long as it may, also in a new connection.
        waiting = [in_thread(e.emit, "jobs-a", {"n": 3}) for e in (third, fourth)]
        self.end_alarm()
        self.assertEqual([wait() for wait in waiting], [True, True])
        # Of the two hundred one was sent, and waited: it comes first, and once.
        self.hurry(first, PATIENCE)
        first.raise_errors = False
        self.until_it_goes(first, "jobs-a", {"n": 4})
        bodies = [b for key, _, b in self.received() if key == "jobs-a"]
        self.assertEqual(bodies[:3], [b'{"n":0}'] * 3)
        self.assertEqual((bodies.count(b'{"n":1}'), bodies.count(b'{"n":3}')), (1, 2))
        self.assertLess(bodies.index(b'{"n":1}'), bodies.index(b'{"n":4}'))
        self.hurry(lost, PATIENCE)
        self.until_it_goes(lost, "jobs-a", {"n": 6})
        self.assertEqual(len(proxy.links), 2)

    def end_of_a_process(self):
        script = f"import belfry; belfry.configure(url={URL!r}, driver={DRIVER!r}, timeout=1)\n" \
                 "assert not belfry.emit_channel_notification('jobs-a', {'n': 5})\n" \
                 "belfry.default_emitter()._settings.__dict__['timeout'] = 80000\n"
        subprocess.run([sys.executable, "-c", script], check=True, timeout=PATIENCE, env={**os.environ, "PYTHONPATH": "."})

    @only_in_full
    def test_disk(self):
        emitter = self.open(raise_errors=True)
        self.assertTrue(emitter.emit("jobs-a", {"n": 0}))
        self.hurry(emitter, 2)
        self.raise_alarm("disk")
        self.blocked(emitter, "low on disk", {"n": 1})
        self.end_alarm()


if __name__ == "__main__":
    unittest.main()
