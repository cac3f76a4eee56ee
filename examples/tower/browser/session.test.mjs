// Who is at the page: one after the other, in two tabs, too often.
import assert from "node:assert/strict";
import { test } from "node:test";
import { rig } from "./rig.mjs";
import { connected, launch, lines, logIn, notice, person, recordCloses, state, until } from "./tower.mjs";

const r = rig();

const texts = (page, ...selectors) => Promise.all(selectors.map((s) => page.textContent(s)));

test("after alice, bob finds nothing of hers, and a gap loads nothing of hers", async () => {
  const page = await r.someone("alice");
  await launch(page, "count");
  await until("output", async () => (await lines(page)).length >= 2);
  const [title] = await texts(page, "#output-title");
  const id = Number(/^Job (\d+): Count slowly/.exec(title)[1]);

  // One more answer about her job is on its way, and comes when she is gone.
  let late;
  await page.route(`**/api/jobs/${id}/events*`, async (route) => {
    const response = await route.fetch();
    await new Promise((resolve) => { late = resolve; });
    await route.fulfill({ response }).catch(() => {}); // the page has given it up
  });
  await page.click(`#jobs [data-job="${id}"]`);
  await until("the answer to wait", () => late);
  await page.click("#logout");
  await page.waitForSelector("#login-view:not([hidden])");
  assert.deepEqual(
    await texts(page, "#output", "#output-title", "#jobs", "#schedules", "#summary", "#launch select", "#who-name"), ["", "Output", "", "", "", "", ""],
  );

  const asked = [];
  page.on("response", (answer) => asked.push([answer.status(), new URL(answer.url()).pathname]));
  await logIn(page, "bob");
  await connected(page);
  late();
  r.tower.killGateway();
  await until("the light to be off", async () => (await state(page)) !== "connected");
  await connected(page, 30_000);
  await until("what follows the gap", () => asked.filter(([, path]) => path === "/api/schedules").length >= 2);
  await until("bob's list", () => page.isVisible("#no-jobs"));
  assert.deepEqual(asked.filter(([status, path]) => status >= 400 || path.startsWith(`/api/jobs/${id}`)), []);
  assert.deepEqual(await texts(page, "#output", "#output-title", "#jobs"), ["", "Output", ""]);
  assert.ok(await page.isHidden("#cancel"));
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
  await logIn(page, "bob");
  await connected(page);
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
  await logIn(page, name);
  await connected(page);
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
  assert.match(await notice(first), /^You have logged in elsewhere, and this session has ended/);
  for (const page of others) {
    assert.deepEqual(await page.evaluate(() => window.closes), []);
    assert.ok(await page.isVisible("#work-view"));
  }
  await logIn(first, "bob"); // and may come in again
  await connected(first);
  assert.ok(await first.isHidden("#notice"), await notice(first));
  for (const page of [first, ...others]) await page.context().close();
});

test("a log-out in one tab ends the others by the server's word, and only these", async () => {
  const tab = await recorded("alice");
  const elsewhere = await recorded("alice");
  const other = await tab.context().newPage();
  await other.goto(r.tower.url);
  await connected(other);
  await other.click("#logout");
  await tab.waitForSelector("#login-view:not([hidden])");
  assert.deepEqual(await tab.evaluate(() => window.closes), [4403]);
  assert.match(await notice(tab), /^You have logged out in another tab/);
  assert.equal(await notice(other), "");
  assert.deepEqual(await elsewhere.evaluate(() => window.closes), []);
  assert.ok(await elsewhere.isVisible("#work-view"));
  for (const page of [tab, elsewhere]) await page.context().close();
});

test("another user who has logged in in another tab is noticed", async () => {
  const page = await r.someone("alice");
  await page.evaluate(() => fetch("/api/login", { // as another tab does
    method: "POST", headers: { "X-Requested-With": "test" }, body: JSON.stringify({ name: "bob", password: "tower" }),
  }));
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange"))); // one comes back to this tab
  await page.waitForSelector("#login-view:not([hidden])");
  assert.match(await notice(page), /^Somebody else has logged in/);
  await page.context().close();
});

test("a wrong password leaves the name, and the focus where it is typed again", async () => {
  const page = await person(r.browser, r.tower, "alice", "wrong");
  await page.waitForSelector("#notice:not([hidden])");
  assert.equal(await page.inputValue("#login input[name=name]"), "alice");
  assert.equal(await page.evaluate(() => document.activeElement.name), "password");
  await page.context().close();
});
