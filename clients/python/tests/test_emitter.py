"""The emitter's own rules, over a driver that does what a test wants."""

import socket
import ssl
import struct
import threading
import unittest
from unittest import mock

import belfry
from belfry.errors import LinkLost, Refused


class Driver:
    """Runs outcomes, one for each publish: an exception to raise, or a function to call."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.events = []
        self.opened = self.aborted = 0

    def publish(self, event, route, until, silence):
        self.events.append((event, route))
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, BaseException):
            raise outcome
        if outcome is not None:
            outcome()

    def alarm(self):
        return ""

    def usable(self):
        return True

    def abort(self):
        self.aborted += 1

    def close(self, until):
        pass


def emitter(**options):
    return belfry.Emitter("amqp://127.0.0.1/", shards=1, **options)


def opening(driver):
    def open_driver(*_):
        driver.opened += 1
        return driver
    return mock.patch("belfry.emitter.open_driver", open_driver)


class TimeLimit(Exception):
    pass


class DisguisedLimit(TimeoutError):
    pass


class AssertionLimit(AssertionError):
    pass


class WhatIsRaised(unittest.TestCase):
    def test_what_is_not_about_the_event_goes_through_and_the_connection_goes(self):
        for what in (TimeLimit, DisguisedLimit, AssertionLimit, KeyboardInterrupt, SystemExit, RuntimeError, MemoryError):
            driver = Driver(what())
            with self.subTest(what.__name__), opening(driver):
                e = emitter()
                with self.assertRaises(what):
                    e.emit("jobs-a", {})
                self.assertEqual((driver.opened, driver.aborted, e.failed), (1, 1, 1))
                self.assertTrue(e.emit("jobs-a", {}))
                self.assertEqual((driver.opened, e.emitted), (2, 1))

    def test_what_is_about_the_event_is_logged_and_counted(self):
        for what in (belfry.EmitError("x"), Refused("x"), ValueError("x"), TypeError("x"), OSError("x"),
                     socket.gaierror("x"), ssl.SSLError("x"), UnicodeDecodeError("utf-8", b"", 0, 1, "x")):
            driver = Driver(what)
            with self.subTest(type(what).__name__), opening(driver), self.assertLogs("belfry", "WARNING"):
                e = emitter()
                self.assertIs(e.emit("jobs-a", {}), False)
                self.assertEqual(e.failed, 1)

    def test_a_clear_no_keeps_the_connection(self):
        driver = Driver(Refused("full"))
        with opening(driver):
            e = emitter(raise_errors=True)
            with self.assertRaises(Refused):
                e.emit("jobs-a", {})
            self.assertTrue(e.emit("jobs-a", {}))
        self.assertEqual((driver.opened, driver.aborted), (1, 0))

    def test_a_lost_link_is_tried_again_with_the_same_event(self):
        driver = Driver(LinkLost("x"), LinkLost("x"))
        with opening(driver):
            self.assertTrue(emitter().emit("jobs-a", {}))
        self.assertEqual((driver.opened, driver.aborted), (3, 2))
        self.assertEqual(driver.events, [driver.events[0]] * 3)

    def test_errors_of_a_link(self):
        from belfry.verdict import link
        from belfry.deadline import Deadline
        for what in (OSError, ssl.SSLError, AttributeError, AssertionError, struct.error):
            with self.subTest(what.__name__), self.assertRaises(LinkLost) as seen, link("doing", Deadline(9)):
                raise what("hush")
            self.assertNotIn("hush", str(seen.exception))
        with self.assertRaises(TimeLimit), link("doing", Deadline(9)):
            try:
                raise TimeLimit
            except TimeLimit:
                raise OSError("what a library made of it")

    def test_what_the_caller_was_handling_stays_its_own(self):
        from belfry.verdict import link
        from belfry.deadline import Deadline
        with self.assertRaises(LinkLost):
            try:
                raise TimeLimit  # the business caught it, and emits while it does
            except TimeLimit:
                with link("doing", Deadline(9)):
                    raise OSError("lost")

    def test_an_emit_within_an_emit_is_refused(self):
        def nested():
            inner.append(e.emit("jobs-b", {}))
        inner = []
        driver = Driver(nested)
        with opening(driver), self.assertLogs("belfry", "WARNING"):
            e = emitter()
            self.assertTrue(e.emit("jobs-a", {}))
            self.assertEqual(inner, [False])
            self.assertTrue(e.emit("jobs-a", {}))  # and the lock is as it was


class Hook(unittest.TestCase):
    def traced(self, trace):
        driver = Driver()
        with opening(driver):
            self.assertTrue(emitter(trace=trace).emit("jobs-a", {}))
        return driver.events[0][1].headers

    def test_none_is_no_header(self):
        self.assertEqual(self.traced(lambda group: None), {})
        self.assertEqual(self.traced(lambda group: ""), {})

    def test_a_hook_that_fails_does_not_cost_the_event(self):
        def fails(group):
            raise KeyError("no context")
        for trace in (fails, lambda group: "t" * 129, lambda group: 7):
            with self.assertLogs("belfry", "WARNING"):
                self.assertEqual(self.traced(trace), {})

    def test_a_time_limit_in_a_hook_goes_through(self):
        def fails(group):
            raise TimeLimit
        with self.assertRaises(TimeLimit):
            self.traced(fails)


class Racing(belfry.Emitter):
    """Lets two threads read a counter at the same moment, if anything does."""

    gate = None

    def _get(self):
        value = self.__dict__["counter"]
        if self.gate is not None:
            try:
                self.gate.wait(1)
            except threading.BrokenBarrierError:
                pass  # the other one has to wait: so it should be
        return value

    def _set(self, value):
        self.__dict__["counter"] = value

    failed = property(_get, _set)


class Counters(unittest.TestCase):
    def test_two_threads_do_not_count_as_one(self):
        e = Racing("amqp://127.0.0.1/", shards=1)
        e.gate = threading.Barrier(2)
        with self.assertLogs("belfry", "WARNING"):
            threads = [threading.Thread(target=e.emit, args=("no dash", {})) for _ in range(2)]
            for t in threads:
                t.start()
            for t in threads:
                t.join(30)
        e.gate = None
        self.assertEqual(e.failed, 2)


if __name__ == "__main__":
    unittest.main()
