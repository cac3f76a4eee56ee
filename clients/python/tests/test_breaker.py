"""While the broker is away, one call in a while looks for it; all others fail at once."""

import threading
import unittest
from unittest import mock

import belfry
from belfry import breaker
from belfry.errors import AccessRefused, Blocked, LinkLost
from test_emitter import Driver


class Clock:
    """Time that passes when a test says so, and while somebody sleeps."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class Away:
    """open_driver, for a broker that is away until a test says otherwise."""

    def __init__(self, error):
        self.error, self.tries = error, 0

    def __call__(self, *_):
        self.tries += 1
        if self.error is not None:
            raise self.error
        return Driver()


class Breaker(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        for module in ("belfry.breaker", "belfry.deadline", "belfry.emitter"):
            patch = mock.patch(f"{module}.time", self.clock)
            patch.start()
            self.addCleanup(patch.stop)

    def away(self, error):
        away = Away(error)
        patch = mock.patch("belfry.emitter.open_driver", away)
        patch.start()
        self.addCleanup(patch.stop)
        return away

    def emitter(self, **options):
        return belfry.Emitter("amqp://127.0.0.1/", shards=1, **options)

    def test_one_call_takes_its_time_and_the_next_ones_none(self):
        away = self.away(LinkLost("the broker was not reached"))
        e = self.emitter()
        began = self.clock.now
        with self.assertLogs("belfry", "WARNING") as seen:
            self.assertIs(e.emit("jobs-a", {}), False)
            self.assertGreater(self.clock.now, began + 4)  # it tried again for as long as it could
            tries, first = away.tries, self.clock.now
            for _ in range(1000):
                self.assertIs(e.emit("jobs-a", {}), False)
        self.assertEqual((away.tries, self.clock.now, e.failed), (tries, first, 1001))
        self.assertEqual(len(seen.output), 2)  # of the first event, and of the broker

    def test_one_call_in_a_while_looks_once(self):
        away = self.away(LinkLost("the broker was not reached"))
        e = self.emitter()
        with self.assertLogs("belfry", "WARNING"):
            e.emit("jobs-a", {})
        tries, began = away.tries, self.clock.now
        for _ in range(600):
            self.clock.now += 0.1
            with self.assertLogs("belfry", "DEBUG"):
                e.emit("jobs-a", {})
        looks = away.tries - tries
        self.assertTrue(60 / breaker.LAST_PAUSE <= looks <= 60 / (breaker.LAST_PAUSE / 2) + 4, looks)
        self.assertAlmostEqual(self.clock.now, began + 60, 3)  # and none of them waited

    def test_it_is_told_when_the_broker_is_back(self):
        away = self.away(LinkLost("the broker was not reached"))
        e = self.emitter()
        with self.assertLogs("belfry", "WARNING") as seen:
            e.emit("jobs-a", {})
            for _ in range(7):
                e.emit("jobs-a", {})
            away.error = None
            self.clock.now += breaker.LAST_PAUSE
            self.assertIs(e.emit("jobs-a", {}), True)
            self.assertIs(e.emit("jobs-a", {}), True)
        self.assertIn("accepts events again; 7 failed at once", seen.output[-1])
        self.assertEqual(len(seen.output), 3)

    def test_what_was_missed_is_told_at_the_end(self):
        self.away(LinkLost("the broker was not reached"))
        e = self.emitter()
        with self.assertLogs("belfry", "WARNING") as seen:
            for _ in range(8):
                e.emit("jobs-a", {})
            e.close()
        self.assertIn("7 failed at once", seen.output[-1])

    def test_a_login_that_is_refused_is_not_tried_again_in_the_same_call(self):
        away = self.away(AccessRefused("the broker refused the login"))
        e = self.emitter(raise_errors=True)
        began = self.clock.now
        with self.assertLogs("belfry", "WARNING") as seen:
            for _ in range(50):
                with self.assertRaisesRegex(AccessRefused, "refused the login"):
                    e.emit("jobs-a", {})
        self.assertEqual((away.tries, self.clock.now, len(seen.output)), (1, began, 1))

    def test_another_reason_is_told(self):
        away = self.away(LinkLost("the broker was not reached"))
        e = self.emitter()
        with self.assertLogs("belfry", "WARNING") as seen:
            e.emit("jobs-a", {})
            away.error = AccessRefused("the broker refused the login")
            self.clock.now += breaker.LAST_PAUSE
            e.emit("jobs-a", {})
        self.assertIn("refused the login", seen.output[2])

    def test_errors_say_when_the_next_try_is(self):
        self.away(LinkLost("the broker was not reached"))
        e = self.emitter(raise_errors=True)
        with self.assertLogs("belfry", "WARNING"), self.assertRaises(LinkLost):
            e.emit("jobs-a", {})
        with self.assertRaisesRegex(LinkLost, r"was not reached; nothing was sent, the next try is in \d\.\d s"):
            e.emit("jobs-a", {})

    def test_an_order_fails_at_once_too_and_is_raised(self):
        self.away(LinkLost("the broker was not reached"))
        e = self.emitter()
        with self.assertLogs("belfry", "WARNING"):
            e.emit("jobs-a", {})
        began = self.clock.now
        with self.assertRaises(LinkLost):
            e.disconnect(7)
        self.assertEqual(self.clock.now, began)

    def test_a_call_that_had_hardly_any_time_proves_nothing(self):
        self.away(LinkLost("the broker was not reached"))
        e = self.emitter(raise_errors=True)
        for _ in range(2):
            until = belfry.emitter.Deadline(0.1)  # all the rest went by while others had the connection
            with self.assertRaises(LinkLost) as seen:
                e._send(None, None, until)
            self.assertNotIn("nothing was sent", str(seen.exception))

    def test_a_signal_in_the_call_that_looks_lets_another_look(self):
        away = self.away(LinkLost("the broker was not reached"))
        e = self.emitter()
        with self.assertLogs("belfry", "WARNING"):
            e.emit("jobs-a", {})
            self.clock.now += breaker.LAST_PAUSE
            away.error = KeyboardInterrupt()
            with self.assertRaises(KeyboardInterrupt):
                e.emit("jobs-a", {})
            away.error = None
            self.assertIs(e.emit("jobs-a", {}), True)

    def test_an_alarm_keeps_the_connection_and_is_looked_at(self):
        driver = Driver(Blocked("an alarm"))
        with mock.patch("belfry.emitter.open_driver", lambda *_: driver), self.assertLogs("belfry", "WARNING") as seen:
            e = self.emitter()
            self.assertIs(e.emit("jobs-a", {}), False)
            driver.alarm = lambda: "memory"
            self.clock.now += breaker.PAUSE_OF_AN_ALARM
            self.assertIs(e.emit("jobs-a", {}), False)
            self.assertEqual(len(driver.events), 1)  # the second was not sent
            driver.alarm = lambda: ""
            self.clock.now += breaker.PAUSE_OF_AN_ALARM
            self.assertIs(e.emit("jobs-a", {}), True)
        self.assertEqual(driver.aborted, 0)
        self.assertIn("accepts events again", seen.output[-1])

    def test_an_alarm_is_not_believed_for_ever(self):
        driver = Driver(Blocked("an alarm"))
        driver.alarm = lambda: "memory"
        opened = []
        with mock.patch("belfry.emitter.open_driver", lambda *_: opened.append(driver) or driver), \
                self.assertLogs("belfry", "WARNING"):
            e = self.emitter()
            self.assertIs(e.emit("jobs-a", {}), False)
            for _ in range(11):
                self.clock.now += 10
                self.assertIs(e.emit("jobs-a", {}), False)
            self.assertEqual((len(opened), len(driver.events), driver.aborted), (1, 1, 0))
            self.clock.now += 11
            self.assertIs(e.emit("jobs-a", {}), True)  # in a new connection, which would tell
        self.assertEqual((len(opened), len(driver.events), driver.aborted), (2, 2, 1))


class OneLooks(unittest.TestCase):
    def test_others_do_not_wait_for_the_one_that_looks(self):
        b = breaker.Breaker()
        with self.assertLogs("belfry", "WARNING"):
            b.failed(LinkLost("away"))
        b._again = 0
        first, second = object(), object()
        self.assertIs(b.admit(first), True)
        results = []

        def other():
            try:
                b.admit(second)
            except LinkLost as err:
                results.append(err)
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(30)
        self.assertEqual(len(results), 1)
        self.assertIs(b.admit(first), True)  # it may ask again, with the connection in its hands
        b.gave_up(first)
        self.assertIs(b.admit(second), True)


if __name__ == "__main__":
    unittest.main()
