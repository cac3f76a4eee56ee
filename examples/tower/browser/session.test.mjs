import assert from "node:assert/strict";
import { test } from "node:test";
import { rig } from "./rig.mjs";
import { launch, lines, logIn, person, recordCloses, state, until } from "./tower.mjs";

const r = rig();

test("nothing of who was there before is left on the page", async () => {
  const page = await r.someone("alice");
  await launch(page, "machine");
  await until("output", async () => (await lines(page)).length > 0);
  await page.click("#logout");
  await page.waitForSelector("#login-view:not([hidden])");
  for (const id of ["output", "jobs", "schedules", "summary", "who-name", "notice"]) {
    assert.equal((await page.textContent(`#${id}`)).trim(), "", `#${id} after the log-out`);
  }
  await logIn(page, "bob", "tower");
  await until("bob to be live", async () => (await state(page)) === "connected");
  assert.equal(await page.textContent("#output-title"), "Output");
  assert.deepEqual(await lines(page), []);
  assert.equal(await page.locator("#jobs li").count(), 0);
  assert.match(await page.textContent("#who-name"), /^bob/);
  await page.context().close();
});

test("an answer that alice still waited for is not shown to bob", async () => {
  const page = await r.someone("alice");
  let asked, answer;
  const waiting = new Promise((resolve) => { asked = resolve; });
  const release = new Promise((resolve) => { answer = resolve; });
  let first = true;
  await page.route("**/api/jobs", async (route) => {
    if (!first || route.request().method() !== "GET") return route.continue();
    first = false;
    const response = await route.fetch();
    asked();
    await release;
    await route.fulfill({ response }).catch(() => {}); // the page has given it up
  });
  await launch(page, "machine");
  await waiting;
  await page.click("#logout");
  await page.waitForSelector("#login-view:not([hidden])");
  await logIn(page, "bob", "tower");
  await until("bob to be live", async () => (await state(page)) === "connected");
  await page.waitForSelector("#no-jobs:not([hidden])");
  answer();
  await page.evaluate(() => fetch("/api/me")); // whatever came before it has been handled
  assert.equal(await page.locator("#jobs li").count(), 0);
  await page.context().close();
});

/** recorded logs somebody in where close codes are kept. */
async function recorded(name) {
  const context = await r.browser.newContext();
  await recordCloses(context);
  const page = await context.newPage();
  await page.goto(r.tower.url);
  await logIn(page, name, "tower");
  await until(`${name} to be live`, async () => (await state(page)) === "connected");
  return page;
}

test("a third session ends the first by the server's word, and its page says why", async () => {
  const first = await recorded("bob");
  // The page cannot find out by itself that its session has ended.
  let answer;
  const release = new Promise((resolve) => { answer = resolve; });
  await first.route("**/api/me", async (route) => { await release; await route.continue(); });
  const others = [await recorded("bob"), await recorded("bob")];
  await until("the close code", async () => (await first.evaluate(() => window.closes)).length > 0);
  assert.deepEqual(await first.evaluate(() => window.closes), [4403]);
  answer();
  await first.waitForSelector("#login-view:not([hidden])");
  assert.match(await first.textContent("#notice"), /^You have logged in elsewhere, and this session has ended/);
  for (const page of others) {
    assert.deepEqual(await page.evaluate(() => window.closes), []);
    assert.ok(await page.isVisible("#work-view"));
  }
  for (const page of [first, ...others]) await page.context().close();
});

test("a log-out in one tab ends the others by the server's word, and only these", async () => {
  const tab = await recorded("alice");
  const elsewhere = await recorded("alice");
  const other = await tab.context().newPage();
  await other.goto(r.tower.url);
  await until("the other tab to be live", async () => (await state(other)) === "connected");
  await other.click("#logout");
  await tab.waitForSelector("#login-view:not([hidden])");
  assert.deepEqual(await tab.evaluate(() => window.closes), [4403]);
  assert.match(await tab.textContent("#notice"), /^You have logged out in another tab/);
  assert.equal(await other.textContent("#notice"), "");
  assert.deepEqual(await elsewhere.evaluate(() => window.closes), []);
  assert.ok(await elsewhere.isVisible("#work-view"));
  for (const page of [tab, elsewhere]) await page.context().close();
});

test("a wrong password leaves the name, and the focus where it is typed again", async () => {
  const page = await person(r.browser, r.tower, "alice", "wrong");
  await page.waitForSelector("#notice:not([hidden])");
  assert.equal(await page.inputValue("#login input[name=name]"), "alice");
  assert.equal(await page.evaluate(() => document.activeElement.name), "password");
  await page.context().close();
});
