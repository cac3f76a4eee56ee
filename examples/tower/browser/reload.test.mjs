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

test("an older list does not take a job's end back", async () => {
  const page = await r.someone("bob");
  const held = [];
  let hold = false;
  await page.route(/\/api\/jobs$/, async (route) => {
    if (!hold || route.request().method() !== "GET") return route.continue();
    const answer = await route.fetch(); // as it is now, and shown later
    await new Promise((resolve) => held.push(resolve));
    return route.fulfill({ response: answer });
  });
  hold = true;
  await launch(page, "machine");
  await until("a list on its way", () => held.length > 0);
  hold = false;
  await until("the end", async () => (await page.locator("#jobs .status").first().textContent().catch(() => "")) === "successful" || held.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 1500)); // the job ends meanwhile
  for (const release of held) release();
  await until("the job to have ended on the page", async () => (await page.locator("#jobs .status").first().textContent()) === "successful");
  await page.context().close();
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
