"""The README's way to emit from Celery, in a worker with the pool that the environment names."""

import json
import os
import pathlib
import re
import subprocess
import sys
import unittest
import uuid

from rig import PATIENCE, BrokerTest

os.environ["BELFRY_TEST_QUEUE"] = f"tasks-{uuid.uuid4().hex}"

import celery_app  # noqa: E402

POOL = os.environ.get("BELFRY_TEST_POOL", "prefork")
JOBS = 6


class Worker(BrokerTest):
    def setUp(self):
        super().setUp()
        here = pathlib.Path(__file__).parent
        self.worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "celery_app", "worker", f"--pool={POOL}", "--concurrency=2",
             "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING"],
            cwd=here, env={**os.environ, "PYTHONPATH": str(here.parents[1]), "BELFRY_TEST_WORKER": "yes"})
        self.addCleanup(self.end)

    def end(self):
        self.worker.terminate()
        try:
            self.worker.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.worker.kill()
            self.worker.wait()

    def test_tasks_emit(self):
        for result in [celery_app.run_job.delay(job) for job in range(JOBS)]:
            result.get(timeout=PATIENCE)
        (key, _, parent), *events = self.received()
        self.assertEqual(key, "jobs-parent")
        lines = {}
        for key, _, body in events:
            payload = json.loads(body)
            self.assertEqual(key, f"job_events-{payload['job']}")
            lines.setdefault(payload["job"], []).append(payload["counter"])
            process = re.search(r"by (\d+)$", payload["stdout"]).group(1)
            if POOL == "prefork":
                self.assertNotEqual(process, parent.decode())
        self.assertEqual(lines, {job: [1, 2, 3] for job in range(JOBS)})

    @unittest.skipUnless(POOL == "prefork", "the other pools of Celery have no soft time limit")
    def test_a_soft_time_limit_reaches_the_task(self):
        silent = self.proxy(silent=True)
        self.assertEqual(celery_app.limited.delay(silent.url()).get(timeout=PATIENCE), "SoftTimeLimitExceeded")


if __name__ == "__main__":
    unittest.main()
