import assert from "node:assert/strict";
import { test } from "node:test";
import { rig } from "./rig.mjs";
import { launch, lines, logIn, person, state, until } from "./tower.mjs";

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

test("a third session ends the first by the server's word, not the page's", async () => {
  const first = await r.browser.newContext();
  const page = await first.newPage();
  const closed = [];
  page.on("websocket", (ws) => ws.on("close", () => closed.push(ws.url())));
  // The page is deaf to the event of the session limit: only the server is left.
  await page.addInitScript(() => {
    const Native = window.WebSocket;
    window.codes = [];
    window.WebSocket = class extends Native {
      constructor(...args) {
        super(...args);
        this.addEventListener("close", (e) => window.codes.push(e.code));
        this.addEventListener("message", (e) => { if (String(e.data).includes("limit_reached\"}")) e.stopImmediatePropagation(); });
      }
    };
  });
  await page.goto(r.tower.url);
  await logIn(page, "bob", "tower");
  await until("the first to be live", async () => (await state(page)) === "connected");
  const second = await r.someone("bob");
  const third = await r.someone("bob");
  await until("the server to close it", async () => (await page.evaluate(() => window.codes)).includes(4403));
  await page.waitForSelector("#login-view:not([hidden])");
  assert.match(await page.textContent("#notice"), /logged in elsewhere/);
  for (const other of [second, third]) assert.equal(await state(other), "connected");
  for (const p of [page, second, third]) await p.context().close();
});

test("who logs out is disconnected by the server, and may come in again", async () => {
  const page = await r.someone("alice");
  await page.click("#logout");
  await page.waitForSelector("#login-view:not([hidden])");
  await logIn(page, "alice", "tower");
  await until("alice to be back", async () => (await state(page)) === "connected");
  await page.context().close();
});

test("a wrong password leaves the name, and the focus where it is typed again", async () => {
  const page = await person(r.browser, r.tower, "alice", "wrong");
  await page.waitForSelector("#notice:not([hidden])");
  assert.equal(await page.inputValue("#login input[name=name]"), "alice");
  assert.equal(await page.evaluate(() => document.activeElement.name), "password");
  await page.context().close();
});
