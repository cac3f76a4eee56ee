"""The end of a process: emitters are closed, in bounded time."""

import os
import subprocess
import sys
import unittest

from rig import DRIVER, PATIENCE, BrokerTest, command

DEFAULT = """
import belfry, sys
belfry.configure(url={url!r}, driver={driver!r}, timeout=86400)
assert belfry.emit_channel_notification("jobs-a", {{"by": "default"}})
"""
TWO = DEFAULT + """
other = belfry.Emitter({url!r}, driver={driver!r}, raise_errors=True)
other.emit("jobs-a", {{"by": "other"}})
"""
THREAD = DEFAULT + """
import threading
held, emitter = threading.Event(), belfry.default_emitter()

def hold():
    with emitter._turn.held(belfry.emitter.Deadline(86400)):
        held.set()
        threading.Event().wait()

threading.Thread(target=hold, daemon=True).start()
held.wait()
"""
CHILD = DEFAULT + """
import os
child = os.fork()
if child == 0:
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
assert belfry.emit_channel_notification("jobs-a", {{"by": "parent, after its child has ended"}})
"""
WAITING = DEFAULT + """
print("connected", flush=True)
sys.stdin.read()
"""


class Exit(BrokerTest):
    def start(self, script, proxy):
        process = subprocess.Popen([sys.executable, "-c", script.format(url=proxy.url(), driver=DRIVER)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": "."})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdin.close)
        return process

    def runs(self, script):
        proxy = self.proxy()
        self.assertEqual(self.start(script, proxy).wait(PATIENCE), 0)
        return proxy

    def test_the_broker_hears_a_good_bye(self):
        for script, links in ((DEFAULT, 1), (TWO, 2), (CHILD, 1)):
            with self.subTest(script):
                proxy = self.runs(script)
                self.assertEqual(len(proxy.links), links)
                for n in range(links):
                    self.assertTrue(proxy.link(n).client_left.wait(PATIENCE))
                    self.assertIn(b"\x00\x0a\x00\x32", proxy.link(n).said)  # connection.close

    def test_a_thread_in_the_middle_of_a_call_does_not_hold_it_up(self):
        self.runs(THREAD)

    def test_a_broker_that_says_nothing_does_not_hold_it_up(self):
        proxy = self.proxy()
        process = self.start(WAITING, proxy)
        self.assertEqual(process.stdout.readline(), b"connected\n")
        proxy.link(0).keep_back()
        process.stdin.close()
        self.assertEqual(process.wait(PATIENCE), 0)


if __name__ == "__main__":
    unittest.main()
