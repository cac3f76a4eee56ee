"""Threads, green threads and asyncio: each event arrives, and one that waits for
its broker holds up no other.

The servers and pools that bring these along are in tests/servers.
"""

import asyncio
import json
import os
import subprocess
import sys
import types
import unittest

import belfry
from rig import DRIVER, PATIENCE, URL, BrokerTest, only_in_full, recipe

PATCHES = {
    "threads": "",
    "gevent": "from gevent import monkey; monkey.patch_all()\n",
    "eventlet": "import eventlet; eventlet.monkey_patch()\n",
}
THREADS = """
import os, sys, threading, belfry

def emitter(url):
    return belfry.Emitter(os.environ[url], driver=os.environ["DRIVER"], raise_errors=True, timeout=60)

def work(fast, n, done):
    done.append([fast.emit(f"job_events-{n}", {"counter": i}) for i in range(5)])

def all_emit(fast, first):
    done = []
    threads = [threading.Thread(target=work, args=(fast, first + n, done)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [[True] * 5] * 4, done

fast, answers = emitter("FAST"), []
all_emit(fast, 0)
waiting = threading.Thread(target=lambda: answers.append(emitter("SLOW").emit("jobs-slow", {})))
waiting.start()
all_emit(fast, 10)
assert not answers, answers
print("the others went", flush=True)
waiting.join()
assert answers == [True], answers
"""
ASYNCIO = """
import asyncio, os, belfry

def emitter(url):
    return belfry.Emitter(os.environ[url], driver=os.environ["DRIVER"], raise_errors=True, timeout=60)

async def work(fast, n):
    return [await asyncio.to_thread(fast.emit, f"job_events-{n}", {"counter": i}) for i in range(5)]

async def main():
    fast = emitter("FAST")
    assert await asyncio.gather(*[work(fast, n) for n in range(4)]) == [[True] * 5] * 4
    slow = asyncio.create_task(asyncio.to_thread(emitter("SLOW").emit, "jobs-slow", {}))
    assert await asyncio.gather(*[work(fast, n) for n in range(10, 14)]) == [[True] * 5] * 4
    assert not slow.done()
    print("the others went", flush=True)
    assert await slow

asyncio.run(main())
"""


class Green(BrokerTest):
    def start(self, script, fast, slow):
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": ".", "FAST": fast, "SLOW": slow, "DRIVER": DRIVER})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def runs(self, script, fast=URL):
        slow = self.proxy(hold=True)
        process = self.start(script, fast, slow.url())
        self.assertEqual(process.stdout.readline(), b"the others went\n")
        slow.hold = False
        slow.link(0).let_go()
        self.assertEqual(process.wait(PATIENCE), 0)
        arrived = {}
        for key, _, body in self.received():
            arrived.setdefault(key, []).append(json.loads(body).get("counter"))
        self.assertEqual(arrived.pop("jobs-slow"), [None])
        self.assertEqual(arrived, {f"job_events-{n}": list(range(5)) for n in (0, 1, 2, 3, 10, 11, 12, 13)})

    def test_threads_of_each_kind(self):
        for name, patch in PATCHES.items():
            with self.subTest(name):
                self.runs(patch + THREADS, URL.replace("127.0.0.1", "localhost"))  # a name, to be looked up

    @only_in_full
    def test_by_address(self):
        for name, patch in PATCHES.items():
            with self.subTest(name):
                self.runs(patch + THREADS)

    @only_in_full
    def test_over_tls(self):
        proxy = self.proxy(tls=self.certificate("DNS:localhost"))
        for name, patch in PATCHES.items():
            with self.subTest(name):
                self.runs(patch + THREADS, proxy.url().replace("amqp://", "amqps://").replace("127.0.0.1", "localhost"))

    def test_asyncio(self):
        self.runs(ASYNCIO)

    def test_the_recipe_for_asyncio(self):
        self.addCleanup(belfry.configure(url=URL, driver=DRIVER, timeout=PATIENCE, raise_errors=True).close)
        asyncio.run(recipe("to_thread")["job_changed"](types.SimpleNamespace(pk=42, status="running")))
        [(key, _, body)] = self.received()
        self.assertEqual((key, body), ("jobs-status_changed", b'{"group_name":"jobs","unified_job_id":42,"status":"running"}'))


if __name__ == "__main__":
    unittest.main()
