import assert from "node:assert/strict";
import { test } from "node:test";
import { rig } from "./rig.mjs";
import { launch, lines, person, state, until } from "./tower.mjs";

const r = rig();

test("a wrong password gets a clear answer", async () => {
  const page = await person(r.browser, r.tower, "alice", "wrong");
  await page.waitForSelector("#notice:not([hidden])");
  assert.match(await page.textContent("#notice"), /wrong name or password/i);
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
  await alice.context().close();
  await bob.context().close();
});

test("the gateway is killed while output streams: every line is there once", async () => {
  const alice = await r.someone("alice");
  await launch(alice, "count");
  await until("output", async () => (await lines(alice)).length >= 5);
  r.tower.killGateway();
  await until("the light to show it", async () => (await state(alice)) !== "connected");
  await until("the light to be back", async () => (await state(alice)) === "connected", 30_000);
  const want = Array.from({ length: 60 }, (_, i) => `line ${i + 1} of 60`);
  await until("the last line", async () => (await lines(alice)).at(-1) === want.at(-1), 30_000);
  assert.deepEqual(await lines(alice), want);
  await alice.context().close();
});

test("the terminal: colours, and a bar that is drawn on one line", async () => {
  const page = await r.someone("bob");
  await launch(page, "deploy");
  await page.waitForSelector("#output .fg-6"); // the bar, before its line has ended
  await until("the end", async () => (await page.getAttribute("#jobs .status", "data-status")) === "successful");
  await until("the last line", async () => (await lines(page)).at(-1) === "Deployed. (Nothing was.)");
  const all = await lines(page);
  assert.equal(all[0], "==> Fetching the release");
  assert.equal(all[1], `${"#".repeat(20)} 100%`);
  assert.equal(await page.locator("#output .fg-2.bold").textContent(), "Deployed.");
  assert.doesNotMatch(all.join("\n"), /[\x00-\x08\x0b-\x1f]/);
  await page.context().close();
});
