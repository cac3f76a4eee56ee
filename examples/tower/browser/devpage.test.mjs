// The page of `belfry dev`, in a real browser: each line says its group and what
// it is, borders and text can be seen, and it says what to do next.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { browse, until } from "./tower.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const program = process.env.BELFRY ?? new URL("../../../bin/belfry", import.meta.url).pathname;
const dir = mkdtempSync(join(tmpdir(), "belfry-page-"));
let belfry, address, browser, close;
let said = "";

before(async () => {
  belfry = spawn(program, ["dev"], { env: { PATH: process.env.PATH, TMPDIR: dir, HOME: dir, BELFRY_LISTEN: "127.0.0.1:0", BELFRY_ADMIN_LISTEN: "127.0.0.1:0" } });
  for (const out of [belfry.stdout, belfry.stderr]) out.on("data", (text) => { said += text; });
  await until("belfry dev", () => said.includes("Ctrl-C"));
  address = said.match(/page\s+(\S+)/)[1];
  ({ browser, close } = await browse());
});

after(async () => {
  await close?.();
  belfry?.kill("SIGTERM");
  await until("the end of belfry dev", () => belfry.exitCode !== null);
  rmSync(dir, { recursive: true, force: true });
});

async function open(options = {}) {
  const page = await (await browser.newContext({ reducedMotion: "reduce", ...options })).newPage();
  const errors = [];
  page.on("pageerror", (err) => errors.push(String(err)));
  page.on("console", (message) => { if (message.type() === "error") errors.push(message.text()); });
  await page.goto(address);
  await until("three subscriptions", async () => /user 7, watching 3 of 3 groups/.test(await page.textContent("#state")));
  return { page, errors };
}

const rows = (page, kind) => page.$$eval(`#log li.${kind}`, (all) => all.map((li) => [li.querySelector("b").textContent, li.querySelector("code").textContent]));

async function emit(page, group, payload) {
  await page.fill("#group", group);
  await page.fill("#payload", payload);
  await page.click("#emit button.main");
}

test("a line has the group that the event came through, and errors are not successes", async () => {
  const { page, errors } = await open();
  assert.deepEqual((await rows(page, "fine")).sort(), ["job_events-42", "jobs-status_changed", "jobs-summary"].map((group) => [group, "subscribed"]));
  await emit(page, "jobs-summary", '{"group_name": "jobs", "unified_job_id": 42}');
  await until("the event", async () => (await rows(page, "event")).length === 1);
  assert.deepEqual(await rows(page, "event"), [["jobs-summary", '{"group_name": "jobs", "unified_job_id": 42}']]);
  assert.match(await page.textContent("#said"), /^confirmed [\d:]+$/);
  const success = await page.$eval("#said", (e) => getComputedStyle(e).color);
  assert.deepEqual(errors, []);

  await emit(page, "jobs-summary", "{not json");
  await until("the error", async () => (await page.textContent("#said")).startsWith("not emitted: "));
  assert.notEqual(await page.$eval("#said", (e) => getComputedStyle(e).color), success);
});

test("who emits where nobody on the page watches is told so", async () => {
  const { page } = await open();
  await emit(page, "workflow_events-7", '{"n": 1}');
  await until("the hint", async () => (await page.textContent("#said")).includes("does not watch workflow_events-7"));
  await page.click("text=Watch it");
  await until("the subscription", async () => (await rows(page, "fine")).some(([group]) => group === "workflow_events-7"));
  await emit(page, "workflow_events-7", '{"n": 2}');
  await until("the event", async () => (await rows(page, "event")).length === 1);
  assert.deepEqual(await rows(page, "event"), [["workflow_events-7", '{"n": 2}']]);
});

test("what is no group is an error of its own, and groups can be taken away", async () => {
  const { page } = await open();
  await page.fill("#groups", "jobs-summary nonsense");
  await page.click("#subscribe button.main");
  await until("the error", async () => (await rows(page, "bad")).length === 1);
  assert.equal((await rows(page, "bad"))[0][0], "nonsense");
  await until("one group", async () => /watching 1 of 1 group$/.test(await page.textContent("#state")));
});

test("the lines to copy work as they are", async () => {
  const { page } = await open({ permissions: ["clipboard-read", "clipboard-write"] });
  await page.fill("#group", "job_events-42");
  await page.fill("#payload", `{"text": "it's"}`);
  await page.click('[data-copies="curl-line"]');
  await until("the copy", async () => (await page.textContent('[data-copies="curl-line"]')) === "Copied");
  const line = await page.evaluate(() => navigator.clipboard.readText());
  const shell = spawn("sh", ["-c", line]);
  await until("curl", () => shell.exitCode !== null);
  await until("the event", async () => (await rows(page, "event")).length === 1);
  assert.deepEqual(await rows(page, "event"), [["job_events-42", `{"text": "it's"}`]]);
  assert.match(await page.textContent("#emit-line"), /belfry emit job_events-42 '\{"text": "it'\\''s"\}'$/);
  assert.match(await page.textContent("#listen-line"), /BELFRY_TOKEN=\S+ BELFRY_URL=ws:\S+ \S*belfry listen jobs-status_changed jobs-summary job_events-42$/);
});

test("the version and the manual", async () => {
  const { page } = await open();
  assert.notEqual((await page.textContent("header small")).trim(), "");
  await page.click("header a");
  assert.match(await page.textContent("body"), /belfry emit/);
});

/** The contrast of two colours as CSS computes them, after WCAG 2.2. */
function contrast(a, b) {
  const light = (text) => {
    const [r, g, b] = text.match(/\d+/g).map((n) => n / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

for (const colorScheme of ["light", "dark"]) {
  test(`everything can be seen, ${colorScheme}`, async () => {
    const { page } = await open({ colorScheme });
    await emit(page, "jobs-summary", "1");
    await until("the event", async () => (await rows(page, "event")).length === 1);
    await page.fill("#groups", "nonsense jobs-summary");
    await page.click("#subscribe button.main");
    await until("the error", async () => (await rows(page, "bad")).length === 1);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    assert.deepEqual(violations.map((v) => [v.id, v.nodes.map((n) => `${n.html}: ${n.failureSummary}`)]), []);
    // What can be used has a border that can be seen (WCAG 2.2, 1.4.11).
    const borders = await page.$$eval("input, button, #log", (all) => all.map((e) => [
      e.outerHTML.slice(0, 60), getComputedStyle(e).borderTopColor, getComputedStyle(e.closest("section")).backgroundColor]));
    for (const [what, border, around] of borders) assert.ok(contrast(border, around) >= 3, `${what}: ${contrast(border, around).toFixed(2)}:1`);
    for (const [kind, name] of [["fine", "warn"], ["bad", "accent"]]) {
      const colour = await page.$eval(`#log .${kind} code`, (e) => getComputedStyle(e).color);
      const other = await page.evaluate((n) => { const e = document.createElement("i"); e.style.color = `var(--${n})`; document.body.append(e); return getComputedStyle(e).color; }, name);
      assert.notEqual(colour, other, `${kind} looks as ${name}`);
    }
  });
}

test("a phone shows everything without scrolling sideways", async () => {
  const { page } = await open({ viewport: { width: 360, height: 640 } });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
});
