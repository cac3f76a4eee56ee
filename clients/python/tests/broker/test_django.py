"""The README's way to emit from Django, in Django."""

import types
import unittest

import django
from django.conf import settings
from django.db import connection, transaction

import belfry
from rig import DRIVER, PATIENCE, URL, BrokerTest, recipe

settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
django.setup()


class OnCommit(BrokerTest):
    def setUp(self):
        super().setUp()
        self.configure(url=URL)
        self.job_changed = recipe("on_commit")["job_changed"]
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS job (id int)")
        self.job = types.SimpleNamespace(pk=42, status="running")

    def configure(self, **options):
        self.addCleanup(belfry.configure(driver=DRIVER, **{"timeout": PATIENCE, **options}).close)

    def count(self):
        with connection.cursor() as cursor:
            return cursor.execute("SELECT count(*) FROM job").fetchone()[0]

    def change(self, before_the_end=lambda: None):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("INSERT INTO job VALUES (42)")
            self.job_changed(self.job)
            before_the_end()

    def test_the_event_comes_after_the_commit(self):
        self.change(before_the_end=lambda: self.assertEqual(self.received(), []))
        [(key, _, body)] = self.received()
        self.assertEqual(key, "jobs-status_changed")
        self.assertEqual(body, b'{"group_name":"jobs","unified_job_id":42,"status":"running"}')

    def test_no_event_comes_after_a_rollback(self):
        def fail():
            raise LookupError("roll back")
        with self.assertRaises(LookupError):
            self.change(before_the_end=fail)
        self.assertEqual(self.received(), [])

    def test_without_a_broker_the_commit_stands(self):
        self.configure(url="amqp://127.0.0.1:1/", timeout=0.3)
        before = self.count()
        with self.assertLogs("belfry", "WARNING"):
            self.change()
        self.assertEqual(self.count(), before + 1)


if __name__ == "__main__":
    unittest.main()
