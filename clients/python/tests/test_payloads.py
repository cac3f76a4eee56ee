"""Objects that JSON does not know, and texts that already are JSON."""

import datetime
import decimal
import enum
import json
import unittest
import uuid
from unittest import mock

import belfry
from belfry import payloads
from test_emitter import Driver

WHEN = datetime.datetime(2026, 11, 27, 18, 4, 5, 678901, tzinfo=datetime.timezone.utc)
ID = uuid.UUID("12345678-1234-5678-1234-567812345678")


class Encoder(json.JSONEncoder):
    def default(self, o):
        return o.isoformat() if isinstance(o, datetime.datetime) else super().default(o)


class Objects(unittest.TestCase):
    def test_without_help_they_are_refused_and_the_way_is_told(self):
        for value in (WHEN, WHEN.date(), WHEN.time(), WHEN - WHEN, ID, decimal.Decimal("1.5"), {1}, b"x", 1j,
                      enum.Enum("Kind", "a").a):
            with self.subTest(type(value).__name__), self.assertRaisesRegex(TypeError, "default= or encoder="):
                payloads.Form().encode({"value": value})

    def test_default(self):
        self.assertEqual(payloads.Form(default=str).encode({"at": WHEN, "id": ID, "n": decimal.Decimal("1.50")}),
                         f'{{"at":"{WHEN}","id":"{ID}","n":"1.50"}}'.encode())

    def test_encoder(self):
        self.assertEqual(payloads.Form(encoder=Encoder).encode({"at": WHEN, "ü": 1}),
                         f'{{"at":"{WHEN.isoformat()}","ü":1}}'.encode())
        with self.assertRaises(TypeError):
            payloads.Form(encoder=Encoder).encode({"id": ID})

    def test_djangos(self):
        from django.core.serializers.json import DjangoJSONEncoder
        self.assertEqual(
            json.loads(payloads.Form(encoder=DjangoJSONEncoder).encode(
                {"at": WHEN, "day": WHEN.date(), "for": datetime.timedelta(seconds=90), "id": ID, "n": decimal.Decimal("1.50")})),
            {"at": "2026-11-27T18:04:05.678Z", "day": "2026-11-27", "for": "P0DT00H01M30S", "id": str(ID), "n": "1.50"})

    def test_what_they_return_is_held_to_the_same_rules(self):
        for bad, why in ((lambda o: float("nan"), "no NaN"), (lambda o: "\ud83d", "UTF-8"), (lambda o: o, "no cycles|nested")):
            with self.subTest(why), self.assertRaisesRegex(ValueError, why):
                payloads.Form(default=bad).encode({"x": object()})

    def test_one_that_stumbles_does_not_reach_the_business(self):
        def stumbles(_):
            raise KeyError("no such thing")
        e = belfry.Emitter("null://", default=stumbles)
        with self.assertLogs("belfry", "WARNING") as seen:
            self.assertIs(e.emit("jobs-a", {"x": object()}), False)
        self.assertIn("no such thing", seen.output[0])

    def test_what_a_signal_raises_in_one_does(self):
        class TimeLimit(Exception):
            pass

        def interrupted(_):
            raise TimeLimit
        with self.assertRaises(TimeLimit):
            belfry.Emitter("null://", default=interrupted).emit("jobs-a", {"x": object()})

    def test_an_emitter_has_them_as_options(self):
        for options in ({"default": str}, {"encoder": Encoder}):
            driver = Driver()
            with mock.patch("belfry.emitter.open_driver", lambda *_, d=driver: d):
                self.assertTrue(belfry.Emitter(raise_errors=True, shards=1, **options).emit("jobs-a", {"at": WHEN}))
            self.assertIn(b"2026-11-27", driver.events[0][0].body)


class Texts(unittest.TestCase):
    def test_a_text_that_is_json_is_told_once_and_sent(self):
        for text in ('{"a": 1}', "[1]", ' \n{"a": 1} '):
            e = belfry.Emitter("null://")
            with self.subTest(text), self.assertLogs("belfry", "WARNING") as seen:
                self.assertIs(e.emit("jobs-a", text), True)
                self.assertIs(e.emit("jobs-a", text), True)
            self.assertEqual(len(seen.output), 1)
            self.assertIn("as bytes", seen.output[0])

    def test_other_texts_are_not_told(self):
        e = belfry.Emitter("null://")
        with self.assertNoLogs("belfry", "WARNING"):
            for text in ("", "running", "{", "[not JSON]", "42", "null", '"x"'):
                self.assertIs(e.emit("jobs-a", text), True)
            self.assertIs(e.emit("jobs-a", b'{"a": 1}'), True)


class Null(unittest.TestCase):
    """The address for tests: nothing is sent, and nothing else is different."""

    def test_events_are_checked_and_counted(self):
        with mock.patch.dict("os.environ", BELFRY_AMQP_URL="null://"):
            e = belfry.Emitter()
        self.assertIs(e.emit("jobs-a", {}), True)
        with self.assertLogs("belfry", "WARNING"):
            self.assertIs(e.emit("no dash", {}), False)
        e.disconnect(7)
        with self.assertRaises(ValueError):
            e.disconnect("*")
        e.close()
        self.assertEqual((e.emitted, e.failed), (1, 1))

    def test_no_library_is_needed(self):
        with mock.patch.dict("sys.modules", {"pika": None, "amqp": None, "belfry.over_pika": None, "belfry.over_kombu": None}):
            self.assertIs(belfry.Emitter("null://", raise_errors=True).emit("jobs-a", {}), True)


if __name__ == "__main__":
    unittest.main()
