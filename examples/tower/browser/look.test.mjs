// How the page looks: contrast, names and roles as axe finds them, by day and by
// night; and what the terminal makes of a job's colours.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { rig } from "./rig.mjs";
import { connected, launch, lines, logIn, schedule, statuses, until, visit } from "./tower.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const r = rig();

/** Fails for what axe finds wrong (WCAG 2.2 AA and its best practices). */
async function accessible(page, what) {
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map((v) => [v.id, v.nodes.map((n) => `${n.html}: ${n.failureSummary}`)]), [], what);
  assert.ok(passes.some((p) => p.id === "color-contrast"), `${what}: contrast was not looked at`);
}

for (const colorScheme of ["light", "dark"]) {
  test(`everything can be read, ${colorScheme}`, async () => {
    const page = await visit(r.browser, r.tower, { colorScheme, reducedMotion: "reduce" });
    await accessible(page, "login");
    await logIn(page, "bob", "wrong");
    await page.waitForSelector("#notice:not([hidden])");
    await accessible(page, "login with a notice");
    await logIn(page, colorScheme === "light" ? "alice" : "bob");
    await connected(page);
    await page.waitForSelector("#no-jobs:not([hidden])");
    await accessible(page, "nothing yet");

    for (const template of ["machine", "fail", "count"]) await launch(page, template);
    await schedule(page, "machine", 60);
    await schedule(page, "machine", 2, "60");
    await until("two schedules", async () => (await page.locator("#schedules li").count()) === 2);
    await page.click("#schedules li:last-child .switch");
    await until("jobs that run and have ended", async () => (await statuses(page)).sort().join() === "failed,running,successful");
    await page.hover("#jobs li:last-child");
    await accessible(page, "at work");
    await launch(page, "count"); // the one before may have ended meanwhile
    await page.click("#cancel");
    await until("it to be canceled", async () => (await statuses(page)).includes("canceled"));
    await page.route("**/api/**", (route) => route.abort());
    await page.click("#launch button");
    await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await page.waitForSelector("#trouble:not([hidden])");
    await page.waitForSelector("#notice:not([hidden])");
    await accessible(page, "in trouble");
    await page.context().close();
  });
}

test("every colour of the terminal can be read on every other that it is made for", async () => {
  const page = await r.someone("alice");
  await page.setViewportSize({ width: 1280, height: 1600 }); // nothing is scrolled away
  await page.evaluate(async () => {
    const { Terminal } = await import("/static/terminal.js");
    const terminal = new Terminal(document.getElementById("output"));
    const sixteen = (base, bright) => Array.from({ length: 16 }, (_, i) => (i < 8 ? base + i : bright + i - 8));
    for (const fg of sixteen(30, 90)) terminal.write(`\x1b[${fg}mtext\x1b[0m \x1b[${fg};7mtext\x1b[0m \x1b[1;${fg}mtext\x1b[0m\n`);
    for (const bg of sixteen(40, 100)) terminal.write(`\x1b[${bg}mtext\x1b[0m \x1b[97;${bg}mtext\x1b[0m \x1b[30;${bg}mtext\x1b[0m\n`);
    terminal.write("\x1b[7mtext\x1b[0m \x1b[2mtext\x1b[0m\n");
  });
  assert.ok((await page.locator("#output span:not(:empty)").count()) >= 98);
  await accessible(page, "colours");
  await page.context().close();
});

test("a job's colours are shown, and its progress bar moves on one line", async () => {
  const page = await r.someone("alice");
  await launch(page, "deploy");
  const bars = new Set();
  await until("the bar to move", async () => {
    const bar = (await lines(page)).filter((line) => /%$/.test(line));
    assert.ok(bar.length <= 1, bar.join("\n"));
    if (bar.length === 1) bars.add(bar[0]);
    return bars.size >= 3;
  });
  for (const bar of bars) assert.match(bar, /^#* +\d+%$/);
  await until("the prompt without its end", async () => / \.\.\. $/.test(await page.textContent("#output")));
  await until("the last line", async () => (await lines(page)).at(-1) === "Deployed. (Nothing was.)", 30_000);
  assert.deepEqual((await lines(page)).slice(0, 2), ["==> Fetching the release", `${"#".repeat(20)} 100%`]);
  assert.doesNotMatch(await page.textContent("#output"), /[\x00-\x09\x0b-\x1f]/);
  const colour = (text) => page.locator("#output span", { hasText: text }).first().evaluate((e) => getComputedStyle(e).color);
  assert.equal(await colour(/^ok$/), "rgb(95, 211, 138)");
  assert.equal(await colour(/^changed$/), "rgb(227, 179, 65)");
  const shown = await page.innerHTML("#output");
  await page.locator("#jobs button").first().click(); // loaded, it looks as it did live
  await until("all of it again", async () => (await lines(page)).at(-1) === "Deployed. (Nothing was.)");
  const text = (html) => page.evaluate((h) => { const e = document.createElement("pre"); e.innerHTML = h; e.normalize(); return e.innerHTML; }, html);
  assert.equal(await text(await page.innerHTML("#output")), await text(shown));
  await page.context().close();
});
