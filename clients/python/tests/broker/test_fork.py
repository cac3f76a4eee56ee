"""Processes that fork, as gunicorn, uwsgi and Celery do."""

import json
import os
import signal
import unittest

import belfry
from rig import DRIVER, PATIENCE, BrokerTest, in_thread


class Fork(BrokerTest):
    def in_child(self, work):
        """Runs work in a forked process, where it must return True."""
        child = os.fork()
        if child == 0:
            signal.alarm(PATIENCE)  # ends a child that hangs
            try:
                os._exit(0 if work() is True else 1)
            except BaseException:
                os._exit(2)
        self.assertEqual(os.waitpid(child, 0)[1], 0)

    def by(self):
        return [json.loads(body)["by"] for _, _, body in self.received()]

    def test_a_child_opens_its_own_connection(self):
        proxy = self.proxy()
        emitter = self.open(proxy.url(), raise_errors=True)
        emitter.emit("jobs-a", {"by": "parent"})
        self.in_child(lambda: emitter.emit("jobs-a", {"by": "child"}))
        emitter.emit("jobs-a", {"by": "parent again"})
        self.assertEqual(self.by(), ["parent", "child", "parent again"])
        self.assertEqual(len(proxy.links), 2)  # the parent still has its first

    def test_a_grandchild_leaves_both_connections_alone(self):
        def child():
            first = self.emitter.emit("jobs-a", {"by": "child"})
            self.in_child(grandchild)
            return first and self.emitter.emit("jobs-a", {"by": "child again"})

        def grandchild():
            done = self.emitter.emit("jobs-a", {"by": "grandchild"})
            self.emitter.close()
            return done
        proxy = self.proxy()
        self.emitter = self.open(proxy.url(), raise_errors=True)
        self.emitter.emit("jobs-a", {"by": "parent"})
        self.in_child(child)
        self.emitter.emit("jobs-a", {"by": "parent again"})
        self.assertEqual(self.by(), ["parent", "child", "grandchild", "child again", "parent again"])
        self.assertEqual(len(proxy.links), 3)

    def test_a_fork_while_another_thread_is_in_the_middle_of_an_event(self):
        proxy = self.proxy()
        emitter = self.open(proxy.url(), raise_errors=True)
        emitter.emit("jobs-a", {"by": "parent"})
        proxy.link(0).keep_back()
        other = in_thread(emitter.emit, "jobs-a", {"by": "thread"})
        self.assertTrue(proxy.link(0).withheld.wait(PATIENCE))  # it holds the lock and waits
        self.in_child(lambda: emitter.emit("jobs-a", {"by": "child"}))
        proxy.link(0).let_go()
        self.assertTrue(other())
        emitter.emit("jobs-a", {"by": "parent again"})
        self.assertEqual(self.by(), ["parent", "thread", "child", "parent again"])
        self.assertEqual(len(proxy.links), 2)

    def test_a_fork_while_another_thread_makes_the_first_call(self):
        proxy = self.proxy(hold=True)
        emitter = belfry.configure(url=proxy.url(), driver=DRIVER, timeout=PATIENCE)
        self.addCleanup(emitter.close)
        other = in_thread(belfry.emit_channel_notification, "jobs-a", {"by": "thread"})
        self.assertTrue(proxy.link(0).withheld.wait(PATIENCE))
        proxy.hold = False
        self.in_child(lambda: belfry.emit_channel_notification("jobs-a", {"by": "child"}))
        proxy.link(0).let_go()
        self.assertTrue(other())
        self.assertEqual(self.by(), ["child", "thread"])

    def test_a_child_counts_its_own_events(self):
        self.emitter.emit("jobs-a", {"by": "parent"})
        self.in_child(lambda: self.emitter.emit("jobs-a", {"by": "child"})
                      and (self.emitter.emitted, self.emitter.failed) == (1, 0))
        self.assertEqual((self.emitter.emitted, self.emitter.failed), (1, 0))


if __name__ == "__main__":
    unittest.main()
