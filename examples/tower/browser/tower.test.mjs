import assert from "node:assert/strict";
import { test } from "node:test";
import { rig } from "./rig.mjs";
import { connected, launch, lines, notice, person, schedule, state, statuses, until } from "./tower.mjs";

const r = rig();

test("a wrong password gets a clear answer", async () => {
  const page = await person(r.browser, r.tower, "alice", "wrong");
  await page.waitForSelector("#notice:not([hidden])");
  assert.match(await notice(page), /Wrong name or password/);
  assert.ok(await page.isVisible("#login-view"));
  await page.context().close();
});

test("a job's output streams; another user does not see it", async () => {
  const alice = await r.someone("alice");
  const bob = await r.someone("bob");
  await launch(alice, "count");
  await until("output", async () => (await lines(alice)).length >= 3);
  const some = (await lines(alice)).length;
  await until("more of it", async () => (await lines(alice)).length > some);
  assert.equal(await bob.locator("#jobs li").count(), 0, "bob sees alice's job");

  await launch(bob, "machine");
  await until("bob's job in alice's list, live", async () => (await alice.locator("#jobs li").count()) === 2);
  await until("bob's job to end", async () => (await bob.textContent("#jobs .status")) === "successful");
  // Alice's own may have ended by now, too.
  await until("alice's counts to have it", async () => /^[12] successful$/.test(await alice.textContent("#summary")));
  await launch(bob, "fail");
  await until("alice's counts to have both", async () => /^[12] successful1 failed$/.test(await alice.textContent("#summary")));
  await launch(alice, "count");
  await alice.click("#cancel");
  await until("the canceled job in the counts", async () => /^[12] successful1 failed1 canceled$/.test(await alice.textContent("#summary")));
  await alice.context().close();
  await bob.context().close();
});

test("a schedule launches jobs; its changes are live on another page", async () => {
  const bob = await r.someone("bob");
  const alice = await r.someone("alice");
  await bob.waitForSelector("#jobs li"); // of the test before
  const jobs = await bob.locator("#jobs li").count();
  await schedule(bob, "fail", 5);
  await until("the schedule on alice's page", async () => (await alice.textContent("#schedules")).includes("every 5 s, by bob"));
  await until("two of its jobs to end", async () => {
    const all = await statuses(bob);
    return all.slice(0, all.length - jobs).filter((status) => status === "failed").length >= 2;
  }, 60_000);

  await alice.click("#schedules .switch"); // she sees, and changes, everybody's
  await until("it to be off on bob's page", async () => (await bob.getAttribute("#schedules .switch", "aria-checked")) === "false");
  await bob.click("#schedules .switch");
  await until("it to be on on alice's page", async () => (await alice.getAttribute("#schedules .switch", "aria-checked")) === "true");
  await bob.click("#schedules >> text=Delete");
  await until("it to be gone from alice's page", async () => (await alice.locator("#schedules li").count()) === 0);
  assert.ok(await alice.isVisible("#no-schedules"));

  await schedule(bob, "fail", 1);
  await bob.waitForSelector("#notice:not([hidden])");
  assert.match(await notice(bob), /The schedule was not made: every is a number of seconds, 5 to 86400/);
  await alice.context().close();
  await bob.context().close();
});

test("the gateway is killed while output streams: every line is there once", async () => {
  const alice = await r.someone("alice");
  await launch(alice, "count");
  await until("output", async () => (await lines(alice)).length >= 5);
  r.tower.killGateway();
  await until("the light to show it", async () => (await state(alice)) !== "connected");
  await connected(alice, 30_000);
  const want = Array.from({ length: 60 }, (_, i) => `line ${i + 1} of 60`);
  await until("the last line", async () => (await lines(alice)).at(-1) === want.at(-1), 30_000);
  assert.deepEqual(await lines(alice), want);
  // The page says what happened: connected, lost, connected, a gap, and its end.
  const journal = (await alice.locator("#journal p").allTextContents()).join("\n");
  assert.match(journal, /^.*Connected after .* s\.\n.*Connection lost.*\n.*Connected after .* s\.\n.*Gap: events of 5 groups may be missing\..*\n.*Gap closed after .* s: \d+ missed pieces? of output loaded/);
  await alice.context().close();
});
