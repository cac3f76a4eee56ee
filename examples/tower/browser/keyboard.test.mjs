import assert from "node:assert/strict";
import { test } from "node:test";
import { rig } from "./rig.mjs";
import { lines, state, until } from "./tower.mjs";

const r = rig();

const focused = (page) => page.evaluate(() => document.activeElement.id || document.activeElement.name || document.activeElement.className || document.activeElement.tagName);

/** outlined says whether the focus can be seen. */
const outlined = (page) => page.evaluate(() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
});

test("log in, launch, open and cancel by keys alone", async () => {
  const page = await (await r.browser.newContext()).newPage();
  await page.goto(r.tower.url);
  await page.waitForSelector("#login-view:not([hidden])");
  assert.equal(await focused(page), "name", "the focus after loading");
  await page.keyboard.type("alice");
  await page.keyboard.press("Tab");
  await page.keyboard.type("tower");
  await page.keyboard.press("Enter");
  await until("alice to be live", async () => (await state(page)) === "connected");
  await until("the focus to be on the template", async () => (await focused(page)) === "template");
  assert.ok(await outlined(page), "the focus is not to be seen");

  await until("the templates", async () => (await page.locator("#launch option").count()) > 0);
  await page.keyboard.type("Count"); // chooses by its title's beginning
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await until("output", async () => (await lines(page)).length >= 2);

  // On to the list of jobs, of which one can be reached.
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "job");
  assert.ok(await outlined(page), "the focus is not to be seen");
  await page.keyboard.press("Enter");
  assert.match(await page.textContent("#output-title"), /^Job \d+/);

  for (let i = 0; i < 12 && (await focused(page)) !== "cancel"; i++) await page.keyboard.press("Tab");
  assert.equal(await focused(page), "cancel");
  await page.keyboard.press("Enter");
  await until("the job to be cancelled", async () => (await page.textContent("#jobs .status")) === "canceled");
  assert.notEqual(await focused(page), "BODY", "the focus went with the button");

  for (let i = 0; i < 20 && (await focused(page)) !== "logout"; i++) await page.keyboard.press("Tab");
  assert.equal(await focused(page), "logout");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#login-view:not([hidden])");
  assert.equal(await focused(page), "name", "the focus after the log-out");
  await page.context().close();
});
