import unittest

from belfry import event, payloads


def make(payload=b"{}", group="jobs-a", message_id=None, traceparent=None):
    return event.make(group, payload, message_id, traceparent, payloads.Form())


class Payload(unittest.TestCase):
    def test_objects_are_compact_utf8(self):
        self.assertEqual(make({"a": [1, "ü€😀"], "b": None}).body, '{"a":[1,"ü€😀"],"b":null}'.encode())

    def test_nan_and_infinity_are_not_json(self):
        for bad in (float("nan"), float("inf"), -float("inf")):
            with self.subTest(bad), self.assertRaisesRegex(ValueError, "no NaN"):
                make({"a": [bad]})
        for bad in (b"NaN", b'{"a": Infinity}', b"[-Infinity]"):
            with self.subTest(bad), self.assertRaisesRegex(ValueError, "is not a JSON number"):
                make(bad)

    def test_what_cannot_be_written(self):
        cycle = []
        cycle.append(cycle)
        deep = None
        for _ in range(100_000):
            deep = [deep]
        for bad in (object(), {1, 2}, {("a",): 1}):
            with self.subTest(type(bad)), self.assertRaises(TypeError):
                make(bad)
        for bad in (cycle, deep, "\ud83d"):
            with self.subTest(type(bad)), self.assertRaises(ValueError):
                make(bad)

    def test_bytes_are_json_in_utf8_and_unchanged(self):
        for good in (b' {"a" :  1e999} ', b"9" * 5000, b'"\\ud83d"', bytearray(b"[]"), memoryview(b"[]")):
            self.assertEqual(make(good).body, bytes(good))
        for bad in (b"", b"{", b"{'a': 1}", b"\xff", "{}".encode("utf-16"), b"\xef\xbb\xbf{}", b"[" * 100_000):
            with self.subTest(bad[:10]), self.assertRaises(ValueError):
                make(bad)

    def test_at_most_a_mebibyte(self):
        self.assertEqual(len(make("x" * ((1 << 20) - 2)).body), 1 << 20)
        for bad in ("x" * ((1 << 20) - 1), b'"' + b"x" * (1 << 20) + b'"'):
            with self.assertRaisesRegex(ValueError, "1048576"):
                make(bad)


class Texts(unittest.TestCase):
    def test_ids(self):
        self.assertNotEqual(make().message_id, make().message_id)
        self.assertEqual(make(message_id="ü" * 100).message_id, "ü" * 100)
        for bad in ("", "x" * 201, "ü" * 101, "\ud83d"):
            with self.subTest(bad[:10]), self.assertRaises(ValueError):
                make(message_id=bad)
        with self.assertRaises(TypeError):
            make(message_id=7)

    def test_traceparents(self):
        self.assertEqual(make().traceparent, "")
        self.assertEqual(make(traceparent="").traceparent, "")
        self.assertEqual(make(traceparent="t" * 128).traceparent, "t" * 128)
        with self.assertRaisesRegex(ValueError, "traceparent"):
            make(traceparent="t" * 129)
        with self.assertRaises(TypeError):
            make(traceparent=b"t")

    def test_groups(self):
        for bad in (None, 7, b"jobs-a"):
            with self.subTest(bad), self.assertRaises(TypeError):
                make(group=bad)
        with self.assertRaises(ValueError):
            make(group="jobs-\ud83d")


if __name__ == "__main__":
    unittest.main()
