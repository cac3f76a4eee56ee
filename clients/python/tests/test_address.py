"""Addresses mean what they mean to Belfry's programs, with each library."""

import dataclasses
import json
import pathlib
import unittest

from belfry import address, addresses, over_kombu, over_pika, tls
from belfry.deadline import Deadline

GOLDEN = pathlib.Path(__file__).resolve().parents[3] / "pkg" / "amqpbus" / "testdata" / "broker_addresses.json"
LISTS = GOLDEN.with_name("broker_address_lists.json")
TABLE = json.loads(GOLDEN.read_text(encoding="utf-8"))


class Forms(unittest.TestCase):
    def test_the_table_has_both_kinds(self):
        self.assertTrue([row for row in TABLE if "means" in row])
        self.assertTrue([row for row in TABLE if "refused" in row])

    def test_what_they_mean(self):
        for row in TABLE:
            if "means" in row:
                with self.subTest(row["name"]):
                    read = address.parse(row["address"])
                    self.assertEqual(dataclasses.asdict(read), row["means"])
                    self.assertNotIn(f"password={read.password!r}", repr(read))

    def test_what_is_refused_is_told_and_not_shown(self):
        for row in TABLE:
            if "refused" in row:
                with self.subTest(row["name"]), self.assertRaises(ValueError) as seen:
                    address.parse(row["address"])
                self.assertIn(row["refused"], str(seen.exception))
                for piece in ("hidden", "hid", "dän", "den@"):
                    self.assertNotIn(piece, str(seen.exception))
                self.assertTrue(seen.exception.__suppress_context__ or seen.exception.__context__ is None)


class Lists(unittest.TestCase):
    """Of a cluster's nodes."""

    def test_what_they_mean(self):
        for row in json.loads(LISTS.read_text(encoding="utf-8")):
            with self.subTest(row["name"]):
                if row.get("means") is None:
                    with self.assertRaises(ValueError) as seen:
                        addresses.parse(row["list"])
                    self.assertIn(row["refused"], str(seen.exception))
                    self.assertNotIn("hid", str(seen.exception))
                else:
                    self.assertEqual(addresses.parse(row["list"]), tuple(address.parse(a) for a in row["means"]))

    def test_one_address_is_a_list_of_one(self):
        for row in TABLE:
            with self.subTest(row["name"]):
                if "means" in row:
                    self.assertEqual(addresses.parse(row["address"]), (address.parse(row["address"]),))
                else:
                    with self.assertRaises(ValueError) as seen:
                        addresses.parse(row["address"])
                    self.assertIn(row["refused"], str(seen.exception))


class Libraries(unittest.TestCase):
    """What each library is handed. A real broker is asked in tests/broker."""

    def meanings(self):
        for row in TABLE:
            if "means" in row:
                with self.subTest(row["name"]):
                    yield address.parse(row["address"]), row["means"]

    def test_pika(self):
        for read, means in self.meanings():
            driver = object.__new__(over_pika.PikaDriver)
            driver._address = read
            p = driver._parameters(tls.Files())
            self.assertEqual(
                {"tls": p.ssl_options is not None, "host": p.host, "port": p.port, "user": p.credentials.username,
                 "password": p.credentials.password, "vhost": p.virtual_host}, means)
            if p.ssl_options is not None:
                self.assertEqual(p.ssl_options.server_hostname, means["host"])

    def test_kombu(self):
        for read, means in self.meanings():
            connection = over_kombu._Connection(read, None, Deadline(1))
            [login] = connection.authentication
            transport = connection.Transport(connection.host, ssl=connection.ssl)
            self.assertEqual(
                {"tls": isinstance(transport, over_kombu._TLS), "host": transport.name, "port": transport.port,
                 "user": login.username, "password": login.password, "vhost": connection.virtual_host}, means)


if __name__ == "__main__":
    unittest.main()
