import assert from "node:assert/strict";
import { test } from "node:test";
import { rig } from "./rig.mjs";
import { launch, lines, state, until } from "./tower.mjs";

const r = rig();

test("an API that is away at a reload is asked until it answers", async () => {
  const page = await r.someone("alice");
  await launch(page, "count");
  await until("output", async () => (await lines(page)).length >= 3);
  let failing = true;
  let refused = 0;
  await page.route(/\/api\/jobs/, (route) => {
    if (!failing || route.request().method() !== "GET") return route.continue();
    refused++;
    return route.fulfill({ status: 502, body: "bad gateway" });
  });
  r.tower.killGateway();
  await until("the light to show it", async () => (await state(page)) !== "connected");
  await until("the light to be back", async () => (await state(page)) === "connected", 30_000);
  await until("several reloads to fail", () => refused >= 4);
  assert.match(await page.textContent("#trouble"), /Could not load .* Trying again/);
  failing = false;
  const want = Array.from({ length: 60 }, (_, i) => `line ${i + 1} of 60`);
  await until("the last line", async () => (await lines(page)).at(-1) === want.at(-1), 30_000);
  assert.deepEqual(await lines(page), want);
  await until("the trouble to be over", () => page.isHidden("#trouble"));
  await page.context().close();
});

test("what was asked for and fails is said", async () => {
  const page = await r.someone("alice");
  await launch(page, "count");
  await until("output", async () => (await lines(page)).length >= 1);
  await page.route(/\/cancel$/, (route) => route.fulfill({ status: 500, contentType: "application/json", body: "{\"error\": \"something went wrong here: try again\"}" }));
  await page.click("#cancel");
  await until("the message", async () => /was not cancelled: something went wrong/.test(await page.textContent("#notice")));
  await page.route(/\/api\/logout$/, (route) => route.abort());
  await page.click("#logout");
  await until("the message", async () => /still logged in/.test(await page.textContent("#notice")));
  assert.equal(await state(page), "connected");
  await page.context().close();
});

const jobStatus = (page, index) => page.locator("#jobs .status").nth(index).getAttribute("data-status");

test("an answer from before a job's end does not make it run again", async () => {
  const alice = await r.someone("alice");
  await launch(alice, "count");
  await until("it to run", async () => (await jobStatus(alice, 0)) === "running");
  let asked, answer, old;
  const waiting = new Promise((resolve) => { asked = resolve; });
  const release = new Promise((resolve) => { answer = resolve; });
  await alice.route("**/api/jobs", async (route) => {
    if (old) return route.continue();
    const response = await route.fetch();
    old = await response.json();
    asked();
    await release;
    return route.fulfill({ response });
  });
  const bob = await r.someone("bob");
  await launch(bob, "machine"); // which alice's page does not know: it loads the list
  await waiting;
  const job = Number((await alice.textContent("#output-title")).match(/\d+/)[0]);
  assert.equal(old.find(({ id }) => id === job).status, "running");
  const row = alice.locator(`#jobs button[data-job="${job}"] .status`);
  await alice.click("#cancel");
  await until("its end", async () => (await row.textContent()) === "canceled");
  await alice.evaluate((id) => {
    const status = document.querySelector(`#jobs button[data-job="${id}"] .status`);
    window.seen = [];
    new MutationObserver(() => window.seen.push(status.textContent)).observe(status, { childList: true, attributes: true });
  }, job);
  answer();
  await until("bob's job", async () => (await alice.locator("#jobs li", { hasText: "by bob" }).first().isVisible()) && (await jobStatus(alice, 0)) === "successful");
  assert.equal(await row.textContent(), "canceled");
  assert.deepEqual(await alice.evaluate(() => window.seen), [], "the status went back for a moment");
  for (const page of [alice, bob]) await page.context().close();
});

test("schedules are made, seen by who may, switched off and deleted, live", async () => {
  const bob = await r.someone("bob"); // makes them
  const alice = await r.someone("alice"); // sees everybody's
  await bob.selectOption("#schedule select[name=template]", "machine");
  await bob.fill("#schedule input[name=every]", "5");
  await bob.click("#schedule button[type=submit]");
  await until("alice to see it", async () => (await alice.locator("#schedules li").count()) === 1);
  await until("it to launch jobs", async () => (await bob.locator("#jobs li").count()) >= 2, 30_000);
  await bob.click("#schedules [role=switch]");
  await until("alice to see that it is off", async () => (await alice.getAttribute("#schedules [role=switch]", "aria-checked")) === "false");
  await bob.click("#schedules .quiet");
  await until("alice to see it gone", async () => (await alice.locator("#schedules li").count()) === 0);
  for (const page of [bob, alice]) await page.context().close();
});
