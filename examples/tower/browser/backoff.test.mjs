// When the page loads again what it could not load, without a browser.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Reload } from "../web/reload.js";

/** settle lets promises that are resolved already go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

test("a failure is repeated with back-off until it succeeds", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    let tries = 0, succeeded = 0;
    const failures = [];
    const reload = new Reload(async () => { if (++tries < 9) throw new Error(`try ${tries}`); }, {
      succeeded: () => succeeded++, failed: (err) => failures.push(err.message), first: 100, last: 1000,
    });
    reload.run();
    await settle();
    for (let i = 0; i < 8; i++) {
      assert.equal(tries, i + 1);
      const most = Math.min(1000, 100 * 2 ** i);
      mock.timers.tick(most / 2 - 1);
      await settle();
      assert.equal(tries, i + 1, `try ${i + 2} came in less than half of ${most} ms`);
      mock.timers.tick(most / 2 + 1);
      await settle();
    }
    assert.deepEqual([tries, succeeded, failures.length], [9, 1, 8]);
    mock.timers.tick(100_000);
    await settle();
    assert.equal(tries, 9, "it goes on after it succeeded");
  } finally {
    mock.timers.reset();
  }
});

test("requests do not overlap; one that is asked for meanwhile follows once", async () => {
  const open = [];
  const reload = new Reload(() => new Promise((resolve) => open.push(resolve)), { succeeded() {}, failed() {} });
  for (let i = 0; i < 5; i++) reload.run();
  await settle();
  assert.equal(open.length, 1);
  open[0]();
  await settle();
  assert.equal(open.length, 2);
  open[1]();
  await settle();
  assert.equal(open.length, 2);
});

test("stopped, it neither tries again nor tells of an answer", async () => {
  let told = 0, fail;
  const reload = new Reload(() => new Promise((_, reject) => { fail = reject; }), { succeeded: () => told++, failed: () => ++told });
  reload.run();
  reload.stop();
  fail(new Error("late"));
  await settle();
  reload.run();
  assert.equal(told, 0);
});
