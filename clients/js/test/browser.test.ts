// The builds in headless Chromium, against a real gateway.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type Build, Site, asks, builds, launch, open as openPage, read, setGroups } from "./browser.js";
import { Gateway } from "./gateway.js";
import { patience } from "./watch.js";

let site: Site;
let gateway: Gateway;
let browser: Browser;
let close: () => Promise<void>;

beforeAll(async () => {
  site = await Site.start();
  gateway = await Gateway.make({ origin: site.origin });
  ({ browser, close } = await launch());
}, 60_000);
beforeEach(async () => { await gateway.start(); }, 30_000);
afterAll(async () => {
  await close?.();
  await gateway?.remove();
  await site?.stop();
});

const open = (build: Build, options = {}) => openPage(browser, site.address(build), gateway.url, options);

describe.each(Object.keys(builds) as Build[])("%s", (build) => {
  test("carries an event to the page, byte for byte", async () => {
    const { page } = await open(build);
    await page.evaluate(() => { client.subscribe("job_events", 42); });
    expect((await setGroups(page, { jobs: ["summary"] })).current).toEqual(["job_events-42", "jobs-summary"]);
    const texts = ['{ "group_name":"job_events",  "job": 42, "stdout": "Zeile \\u00e4 ä 🎉" }', "null", "7"];
    for (const text of texts) await gateway.emit("job_events-42", text);
    await vi.waitFor(async () => expect(await read(page, "texts")).toEqual(texts), patience);
    expect((await read(page, "states")).map((s) => s.state)).toEqual(["connecting", "connected"]);
    await page.close();
  });

  test("has one websocket for all callers of a page", async () => {
    const { page, sockets } = await open(build);
    const same = await page.evaluate((url) => {
      const other = Belfry.shared(url);
      client.subscribe("job_events", 1);
      other.subscribe("job_events", 2);
      return other === client;
    }, gateway.url);
    expect(same).toBe(true);
    expect((await setGroups(page, {})).current).toEqual(["job_events-1", "job_events-2"]);
    expect(sockets).toHaveLength(1);
    await page.close();
  });

  test("iterates one item and leaves its group with the loop", async () => {
    const { page, sockets } = await open(build);
    const lines = page.evaluate(async () => {
      const out: string[] = [];
      for await (const { payload } of client.events("job_events", 1)) if (out.push(payload.stdout) === 2) break;
      return out;
    });
    await vi.waitFor(() => expect(sockets[0]?.at(-1)).toBe(asks({ job_events: ["1"] })), patience);
    expect((await setGroups(page, { job_events: [2] })).current).toEqual(["job_events-1", "job_events-2"]);
    for (const [job, stdout] of [[1, "a"], [2, "b"], [1, "c"]]) {
      await gateway.emit(`job_events-${job}`, JSON.stringify({ group_name: "job_events", job, stdout }));
    }
    expect(await lines).toEqual(["a", "c"]);
    await vi.waitFor(() => expect(sockets[0]!.at(-1)).toBe(asks({ job_events: ["2"] })), patience);
    await page.close();
  });

  test("comes back after the gateway is killed, and sends its groups first", async () => {
    const { page, sockets } = await open(build);
    await setGroups(page, { job_events: [1] });
    await page.evaluate(() => { client.subscribe("jobs", "summary"); });
    await setGroups(page, { job_events: [2] });
    await gateway.end("SIGKILL");
    await vi.waitFor(async () => expect((await read(page, "states")).some((s) => s.code === 1006)).toBe(true), patience);
    await gateway.start();
    await vi.waitFor(async () => expect(await read(page, "gaps")).toHaveLength(1), patience);
    expect(sockets.at(-1)).toEqual([asks({ job_events: ["2"], jobs: ["summary"] })]);
    expect(await read(page, "gaps")).toEqual([{ groups: ["job_events-2", "jobs-summary"], cause: "reconnect" }]);
    await gateway.emit("job_events-2", '{"n": 2}');
    await vi.waitFor(async () => expect(await read(page, "texts")).toEqual(['{"n": 2}']), patience);
    await page.close();
  }, 60_000);
});

test("a browser reads why a token was refused, and fetches another", async () => {
  const { page } = await open("the ES module", { tokens: ["expired", "alice"] });
  expect((await setGroups(page, { jobs: ["summary"] })).current).toEqual(["jobs-summary"]);
  expect((await read(page, "states")).map((s) => s.code ?? s.state)).toEqual(["connecting", 4401, "connecting", "connected"]);
  expect((await read(page, "errors")).map((e) => e.kind)).toEqual(["token_refused"]);
  await page.close();
});

// Chromium tells the page, and lets no new connection out. It does not cut a
// websocket that is open: the gateway's end does.
test("a page without a network comes back when the browser says that there is one", async () => {
  const { page, sockets } = await open("the single file", { minDelay: 600_000, maxDelay: 600_000 });
  await setGroups(page, { job_events: [1] });
  await page.context().setOffline(true);
  await vi.waitFor(async () => {
    expect((await read(page, "states")).at(-1)).toEqual({ state: "disconnected", reason: "offline", retryIn: 600_000 });
  }, patience);
  await gateway.end("SIGKILL");
  await gateway.start();
  await page.context().setOffline(false);
  await vi.waitFor(async () => expect(await read(page, "gaps")).toEqual([{ groups: ["job_events-1"], cause: "reconnect" }]), patience);
  const told = (await read(page, "states")).map((s) => s.reason ?? s.state);
  expect(told).toEqual(["connecting", "connected", "offline", "online", "connecting", "connected"]);
  expect(sockets).toHaveLength(2);
  expect(sockets[1]).toEqual([asks({ job_events: ["1"] })]);
  await page.close();
}, 60_000);
