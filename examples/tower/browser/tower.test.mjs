import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Tower, browse, launch, lines, logIn, person, state, until } from "./tower.mjs";

let tower, browser, close;

before(async () => {
  tower = await Tower.start();
  ({ browser, close } = await browse());
});

after(async () => {
  await close?.();
  const status = await tower?.stop();
  assert.equal(status, 0, `tower ended with ${status}: ${tower.output}`);
});

test("a wrong password gets a clear answer", async () => {
  const page = await person(browser, tower, "alice", "wrong");
  await page.waitForSelector("#notice:not([hidden])");
  assert.match(await page.textContent("#notice"), /wrong name or password/);
  assert.ok(await page.isVisible("#login-view"));
  await page.context().close();
});

test("a job's output streams; another user does not see it", async () => {
  const alice = await person(browser, tower, "alice");
  const bob = await person(browser, tower, "bob");
  await until("both to be live", async () => (await state(alice)) === "connected" && (await state(bob)) === "connected");
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
  const alice = await person(browser, tower, "alice");
  await until("alice to be live", async () => (await state(alice)) === "connected");
  await launch(alice, "count");
  await until("output", async () => (await lines(alice)).length >= 5);
  tower.killGateway();
  await until("the light to show it", async () => (await state(alice)) !== "connected");
  await until("the light to be back", async () => (await state(alice)) === "connected", 30_000);
  const want = Array.from({ length: 60 }, (_, i) => `line ${i + 1} of 60`);
  await until("the last line", async () => (await lines(alice)).at(-1) === want.at(-1), 30_000);
  assert.deepEqual(await lines(alice), want);
  await alice.context().close();
});

test("a third session ends the first", async () => {
  const pages = [];
  for (let i = 0; i < 2; i++) pages.push(await person(browser, tower, "bob"));
  for (const page of pages) await until("bob to be live", async () => (await state(page)) === "connected");
  pages.push(await person(browser, tower, "bob"));
  await until("the oldest session to end", () => pages[0].isVisible("#login-view"));
  assert.match(await pages[0].textContent("#notice"), /logged in elsewhere/);
  assert.ok(await pages[1].isVisible("#work-view"));
  await logIn(pages[0], "bob", "tower");
  await until("bob to be back", async () => (await state(pages[0])) === "connected");
  for (const page of pages) await page.context().close();
});
