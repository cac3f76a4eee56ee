// The API fails, is slow, or is killed, just when the page needs it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { rig } from "./rig.mjs";
import { Tower, connected, launch, lines, notice, state, statuses, until } from "./tower.mjs";

const r = rig(() => Tower.startApart());

/** Lets requests of the page fail while it is on; counts them by path. */
async function failing(page, pattern) {
  const f = { on: true, seen: new Map() };
  await page.route(pattern, async (route) => {
    if (!f.on) return route.continue();
    const { pathname } = new URL(route.request().url());
    f.seen.set(pathname, (f.seen.get(pathname) ?? 0) + 1);
    return f.seen.get(pathname) % 2 ? route.abort("connectionrefused") : route.fulfill({ status: 503, body: "<html>no upstream</html>" });
  });
  return f;
}

/** Launches a job of alice's beside the page. */
async function launchBeside(page, template) {
  const answer = await page.context().request.post(`${r.tower.url}api/jobs`, { headers: { "X-Requested-With": "test" }, data: { template } });
  assert.equal(answer.status(), 201, await answer.text());
}

test("what could not be loaded after a gap is loaded when the API is back", async () => {
  const page = await r.someone("alice");
  await launch(page, "count");
  await until("output", async () => (await lines(page)).length >= 3);
  const id = Number(/^Job (\d+)/.exec(await page.textContent("#output-title"))[1]);

  const api = await failing(page, (url) => url.pathname.startsWith("/api/") && url.pathname !== "/api/token");
  await page.context().setOffline(true);
  await until("the light to be off", async () => (await state(page)) !== "connected");
  await launchBeside(page, "machine");
  await until("it to end", async () => (await (await page.context().request.get(`${r.tower.url}api/jobs`)).json())[0].status === "successful");
  await page.context().setOffline(false);
  await connected(page, 30_000);
  const paths = ["/api/jobs", "/api/jobs/summary", "/api/schedules", `/api/jobs/${id}/events`];
  await until("each to have failed twice", () => paths.every((path) => api.seen.get(path) >= 2));
  assert.match(await page.textContent("#trouble"), /^Could not load the (jobs|summary|schedules|output): the API (cannot be reached|answered 503 and no JSON)\. Trying again\.$/);

  api.on = false;
  await until("the job of the gap in the list", async () => (await statuses(page))[0] === "successful", 30_000);
  await until("its end in the counts", async () => (await page.textContent("#summary")) === "1 successful");
  const want = Array.from({ length: 60 }, (_, i) => `line ${i + 1} of 60`);
  await until("the last line", async () => (await lines(page)).at(-1) === want.at(-1), 30_000);
  assert.deepEqual(await lines(page), want);
  await page.waitForSelector("#trouble", { state: "hidden" });
  await page.context().close();
});

test("a page that opens while the API fails comes up when it is back", async () => {
  const page = await r.someone("alice");
  const api = await failing(page, (url) => url.pathname === "/api/me" || url.pathname === "/api/templates");
  await page.reload();
  await until("two failures", () => api.seen.get("/api/me") >= 2);
  assert.ok(await page.isVisible("#trouble"));
  assert.ok(await page.isHidden("#login-view"), "it asks to log in who is logged in");
  api.on = false;
  await connected(page, 30_000);
  await until("the templates", async () => (await page.locator("#launch option").count()) > 1, 30_000);
  await page.waitForSelector("#trouble", { state: "hidden" });
  await page.context().close();
});

test("what the user asked for and did not get is told", async () => {
  const page = await r.someone("alice");
  await launch(page, "count");
  await page.waitForSelector("#cancel:not([hidden])");
  const id = Number(/^Job (\d+)/.exec(await page.textContent("#output-title"))[1]);
  const api = await failing(page, (url) => url.pathname.startsWith("/api/"));
  const refused = async (click, want) => {
    await page.click(click);
    const said = await until(want, async () => { const text = await notice(page); return text.startsWith(want) && text; });
    assert.match(said.slice(want.length), /^: the API (cannot be reached|answered 503 and no JSON)\.$/);
  };
  await refused("#cancel", `Job ${id} was not cancelled`);
  api.on = false;
  await page.click("#cancel"); // at once: the job does not run for long
  await until("the job to be canceled", async () => (await page.textContent(`[data-job="${id}"] .status`)) === "canceled");
  assert.ok(await page.isHidden("#notice"));
  api.on = true;
  for (const [click, want] of [
    ["#logout", "You are still logged in"], ["#launch button", "The job was not launched"], ["#schedule button", "The schedule was not made"],
  ]) await refused(click, want);
  assert.ok(await page.isVisible("#work-view"));
  api.on = false;
  await page.click("#logout");
  await page.waitForSelector("#login-view:not([hidden])");
  assert.ok(await page.isHidden("#notice"), await notice(page));
  await page.context().close();
});

test("an answer that is older than what was told live changes no status back", async () => {
  const page = await r.someone("alice");
  await launch(page, "count");
  await page.waitForSelector("#cancel:not([hidden])");
  const id = Number(/^Job (\d+)/.exec(await page.textContent("#output-title"))[1]);
  const status = page.locator(`[data-job="${id}"] .status`);

  // The next answer is held until the job's end is told live, and then says what
  // was true when it was asked for. Nothing here depends on how long the job runs,
  // on how long the page would wait for an answer, nor on which notice makes it
  // load: it loads after a launch of its own.
  await page.evaluate(() => { AbortSignal.timeout = () => new AbortController().signal; });
  let asked, send;
  const waits = new Promise((resolve) => { asked = resolve; });
  const sent = new Promise((resolve) => { send = resolve; });
  await page.route((url) => url.pathname === "/api/jobs", async (route) => {
    if (!asked || route.request().method() !== "GET") return route.continue();
    const answered = asked;
    asked = undefined;
    const jobs = await (await route.fetch()).json();
    answered();
    await sent;
    return route.fulfill({ json: jobs.map((job) => (job.id === id ? { ...job, status: "running" } : job)) });
  });
  await launch(page, "machine");
  await waits;
  await page.context().request.post(`${r.tower.url}api/jobs/${id}/cancel`, { headers: { "X-Requested-With": "test" } });
  const end = await until("the live status", async () => { const text = await status.textContent(); return !/pending|running/.test(text) && text; });
  await page.evaluate((job) => {
    window.seen = [];
    const look = () => { const s = document.querySelector(`[data-job="${job}"] .status`)?.textContent; if (s !== window.seen.at(-1)) window.seen.push(s); };
    look();
    new MutationObserver(look).observe(document.getElementById("jobs"), { subtree: true, childList: true, characterData: true });
  }, id);
  send();
  await until("the other job, which came later", async () => (await page.locator("#jobs .title").first().textContent()) === "What machine is this?");
  await until("its end", async () => (await statuses(page))[0] === "successful");
  assert.deepEqual(await page.evaluate(() => window.seen), [end]);
  await page.context().close();
});

test("the API is killed while a job runs: the page is told its end", async () => {
  const page = await r.someone("alice");
  await launch(page, "count");
  await until("output", async () => (await lines(page)).length >= 3);
  const id = Number(/^Job (\d+)/.exec(await page.textContent("#output-title"))[1]);
  await page.waitForSelector(`#jobs li:first-child [data-job="${id}"]`);
  const loaded = [];
  page.on("framenavigated", () => loaded.push("again"));
  await r.tower.killApi();
  await r.tower.serve();
  await until("the job's end", async () => (await statuses(page))[0] === "error");
  await until("its end in the counts", async () => /\d error/.test(await page.textContent("#summary")));
  assert.ok(await page.isHidden("#cancel"));
  const [job] = await (await page.context().request.get(`${r.tower.url}api/jobs`)).json();
  assert.ok(job.finished >= job.created, JSON.stringify(job));
  assert.equal(await state(page), "connected");
  assert.deepEqual(loaded, []);
  await launch(page, "fail"); // it works on
  await until("another job to end", async () => (await statuses(page))[0] === "failed");
  await page.context().close();
});
