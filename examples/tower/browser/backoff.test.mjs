// When the page loads again what it could not load, without a browser.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Reload } from "../web/reload.js";

/** A task whose runs the test answers one after the other. */
class Task {
  constructor(passing = () => true) {
    this.open = [];
    this.told = [];
    this.most = 0;
    this.reload = new Reload(() => new Promise((resolve, reject) => {
      this.open.push({ resolve, reject });
      this.most = Math.max(this.most, this.open.length);
    }), {
      first: 500, last: 4000,
      failed: (err) => { this.told.push(err.message); return passing(err); },
      succeeded: () => this.told.push("ok"),
    });
  }

  async answer(err) {
    assert.equal(this.open.length, 1, "runs that wait for an answer");
    const { resolve, reject } = this.open.shift();
    if (err) reject(new Error(err)); else resolve();
    await settled();
  }
}

/** All that follows from what has happened has happened. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

function clock(t) {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  return async (ms) => { mock.timers.tick(ms); await settled(); };
}

test("it runs once when it is asked once", async () => {
  const task = new Task();
  task.reload.run();
  await task.answer();
  assert.deepEqual(task.told, ["ok"]);
  assert.equal(task.open.length, 0);
});

test("asked while it runs, it runs once more after, never beside", async () => {
  const task = new Task();
  for (let i = 0; i < 5; i++) task.reload.run();
  await task.answer();
  await task.answer();
  assert.equal(task.open.length, 0);
  assert.equal(task.most, 1);
});

test("a failure is repeated, later and later, until it succeeds", async (t) => {
  const pass = clock(t);
  const task = new Task();
  task.reload.run();
  for (const ceiling of [500, 1000, 2000, 4000, 4000]) {
    await task.answer("down");
    await pass(ceiling / 2 - 1);
    assert.equal(task.open.length, 0, `a run before half of ${ceiling} ms`);
    await pass(ceiling / 2 + 1);
    assert.equal(task.open.length, 1, `no run after ${ceiling} ms`);
  }
  await task.answer();
  assert.deepEqual(task.told, ["down", "down", "down", "down", "down", "ok"]);
  await pass(100_000);
  assert.equal(task.open.length, 0);

  task.reload.run(); // the next failure starts anew
  await task.answer("down");
  await pass(500);
  assert.equal(task.open.length, 1);
});

test("to ask in a pause does not shorten it", async (t) => {
  const pass = clock(t);
  const task = new Task();
  task.reload.run();
  await task.answer("down");
  task.reload.run();
  await settled();
  assert.equal(task.open.length, 0);
  await pass(500);
  await task.answer();
  assert.equal(task.open.length, 0);
});

test("what will not pass is told and not repeated, unless asked", async (t) => {
  const pass = clock(t);
  const task = new Task(() => false);
  task.reload.run();
  await task.answer("gone");
  await pass(100_000);
  assert.equal(task.open.length, 0);
  task.reload.run();
  await task.answer();
  assert.deepEqual(task.told, ["gone", "ok"]);
});

test("stopped, it tells nothing and does nothing more", async (t) => {
  const pass = clock(t);
  for (const err of [undefined, "down"]) {
    const task = new Task();
    task.reload.run();
    task.reload.run();
    task.reload.stop();
    await task.answer(err);
    task.reload.run();
    await pass(100_000);
    assert.deepEqual([task.told, task.open.length], [[], 0]);
  }
  const task = new Task();
  task.reload.run();
  await task.answer("down");
  task.reload.stop();
  await pass(100_000);
  assert.equal(task.open.length, 0);
});
