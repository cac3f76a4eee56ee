import os
import unittest
from unittest import mock

import belfry
from belfry import address, notification, settings


def environment(**variables):
    return mock.patch.dict(os.environ, variables)


class Settings(unittest.TestCase):
    def read(self, url=None, shards=None, expiration=60.0, timeout=5.0, driver=None):
        return settings.read(url, shards, expiration, timeout, driver)

    def test_the_environment_is_read(self):
        with environment(BELFRY_AMQP_URL="amqps://a:hush@broker.example/v", BELFRY_SHARDS="4"):
            read = self.read()
        self.assertEqual((read.addresses, read.shards), ((address.parse("amqps://a:hush@broker.example/v"),), 4))
        self.assertNotIn("hush", repr(read))

    def test_arguments_come_first_and_empty_variables_are_none(self):
        with environment(BELFRY_AMQP_URL="", BELFRY_SHARDS=""):
            self.assertEqual((self.read().addresses, self.read().shards), ((address.parse(settings.DEFAULT_URL),), 1))
        with environment(BELFRY_AMQP_URL="http://x", BELFRY_SHARDS="two"):
            self.assertEqual(self.read(url="amqp://h", shards=256).shards, 256)

    def test_bad_shards_name_the_variable_and_what_to_set(self):
        for bad in ("two", "0", "-1", "257", "1.5", " "):
            with self.subTest(bad), environment(BELFRY_SHARDS=bad), self.assertRaises(ValueError) as seen:
                self.read()
            for part in ("BELFRY_SHARDS", repr(bad), "1 to 256"):
                self.assertIn(part, str(seen.exception))
        for bad in (0, -1, 257, 1.0, True, "x", []):
            with self.subTest(bad), self.assertRaises(ValueError):
                self.read(shards=bad)

    def test_a_bad_url_is_not_shown(self):
        for bad in ("amqp://u:hush/hush@h/", "amqp://u:hush@h:port/", "amqp://u:hush@[h/", "http://u:hush@h/", "u:hush@h",
                    "embedded://:hush@127.0.0.1:9051", "amqp://u:hush@a/;amqp://v:hush@b/", b"amqp://u:hush@h/"):
            with self.subTest(bad), self.assertRaises(ValueError) as seen:
                self.read(url=bad)
            self.assertNotIn("hush", str(seen.exception))
            self.assertRegex(str(seen.exception), "write|begin|percent-encode|correct")
            self.assertTrue(seen.exception.__suppress_context__ or seen.exception.__context__ is None)
        with environment(BELFRY_AMQP_URL="hush"), self.assertRaisesRegex(ValueError, "^BELFRY_AMQP_URL "):
            self.read()

    def test_times_and_driver_have_bounds(self):
        for bad in (0, -1, float("nan"), float("inf"), "5", None, True, 10**9):
            with self.subTest(bad), self.assertRaisesRegex(ValueError, "timeout"):
                self.read(timeout=bad)
            with self.subTest(bad), self.assertRaisesRegex(ValueError, "expiration"):
                self.read(expiration=bad)
        with self.assertRaisesRegex(ValueError, "driver"):
            self.read(driver="librabbitmq")


class NeverRaises(unittest.TestCase):
    """Settings that are wrong are no reason to break the business either."""

    def test_towers_call(self):
        with environment(BELFRY_SHARDS="two"), mock.patch.object(notification, "_default", None):
            for calls in (1, 2):
                with self.assertLogs("belfry", "WARNING") as seen:
                    self.assertIs(belfry.emit_channel_notification("jobs-a", {}), False)
                self.assertIn("BELFRY_SHARDS is 'two': set ", seen.output[0])
                self.assertEqual(belfry.default_emitter().failed, calls)

    def test_an_emitter(self):
        with environment(BELFRY_SHARDS="two"):
            emitter = belfry.Emitter()
            with self.assertLogs("belfry", "WARNING"):
                self.assertIs(emitter.emit("jobs-a", {}), False)
            emitter.close()

    def test_an_emitter_that_is_to_raise(self):
        with environment(BELFRY_SHARDS="two"), self.assertRaisesRegex(ValueError, "BELFRY_SHARDS"):
            belfry.Emitter(raise_errors=True)


if __name__ == "__main__":
    unittest.main()
