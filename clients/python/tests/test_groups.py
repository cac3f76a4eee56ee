import json
import pathlib
import unittest

from belfry.groups import check_group, shard_of

GOLDEN = pathlib.Path(__file__).resolve().parents[3] / "pkg" / "protocol" / "testdata" / "shards.json"


class Groups(unittest.TestCase):
    def test_bad_groups_are_refused(self):
        for bad in ("", "jobs", "-x", "jobs-", "a" * 150 + "-" + "b" * 51, "jobs-a\nb", "jobs-a\u202eb"):
            with self.subTest(group=bad), self.assertRaises(ValueError):
                check_group(bad)

    def test_good_groups_pass(self):
        for good in ("jobs-status_changed", "job_events-42", "a" * 100 + "-" + "b" * 100, "jobs-a-b"):
            check_group(good)

    def test_golden_shards(self):
        vectors = json.loads(GOLDEN.read_text())
        self.assertTrue(vectors)
        for v in vectors:
            self.assertEqual(shard_of(v["group"], v["shards"]), v["shard"], v)


if __name__ == "__main__":
    unittest.main()
