// The client in headless Chromium, where the network swallows every packet, the
// page goes away and comes back, or the page's policy forbids the socket.
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { Site, asks, launch, open as openPage, read, setGroups } from "./browser.js";
import { Gateway } from "./gateway.js";
import { Proxy } from "./proxy.js";
import { patience } from "./watch.js";

let site: Site;
let gateway: Gateway;
let browser: Browser;
let close: () => Promise<void>;
let proxy: Proxy;
let page: Page | undefined;

beforeAll(async () => {
  site = await Site.start();
  gateway = await Gateway.make({ origin: site.origin });
  await gateway.start();
  ({ browser, close } = await launch());
}, 60_000);
beforeEach(async () => { proxy = await Proxy.to(gateway.port); });
afterEach(async () => {
  await page?.close();
  await proxy.stop();
});
afterAll(async () => {
  await close?.();
  await gateway?.remove();
  await site?.stop();
});

type Options = Parameters<typeof openPage>[3];

async function open(options: Options = {}, policy = "") {
  const url = `ws://127.0.0.1:${proxy.port}/websocket`;
  const opened = await openPage(browser, site.address("the single file", policy), url, options);
  page = opened.page;
  return opened;
}

const states = async (page: Page) => (await read(page, "states")).map((s) => s.reason || s.state);
const kinds = async (page: Page) => (await read(page, "errors")).map((e) => e.kind);

test("a network that swallows everything is found out in a minute, and events come again after a gap", async () => {
  const { page, sockets } = await open({ clock: true });
  await setGroups(page, { job_events: [1] });
  proxy.swallowing = true;
  await page.clock.fastForward(45_000);
  await vi.waitFor(() => expect(sockets[0]!.slice(-2)).toEqual(Array(2).fill(asks({ job_events: ["1"] }))), patience);
  expect(await states(page)).toEqual(["connecting", "connected"]);
  await page.clock.fastForward(15_000);
  await vi.waitFor(async () => expect((await states(page)).slice(0, 4)).toEqual(["connecting", "connected", "timeout", "connecting"]), patience);
  expect((await kinds(page))[0]).toBe("timeout");

  proxy.swallowing = false;
  await page.clock.fastForward(15_000); // the handshake that was swallowed too
  await vi.waitFor(async () => expect(await read(page, "gaps")).toEqual([{ groups: ["job_events-1"], cause: "reconnect" }]), patience);
  await gateway.emit("job_events-1", '{"n": 1}');
  await vi.waitFor(async () => expect(await read(page, "texts")).toEqual(['{"n": 1}']), patience);
}, 60_000);

test("the same with a clock of its own, and short bounds: setGroups that waited is answered", async () => {
  const { page } = await open({ timeout: 600, activityTimeout: 400 });
  await setGroups(page, { job_events: [1] });
  proxy.swallowing = true;
  const set = setGroups(page, { job_events: [1, 2] });
  await vi.waitFor(async () => expect((await kinds(page)).length).toBeGreaterThan(2), patience);
  expect(new Set(await kinds(page))).toEqual(new Set(["timeout"]));
  proxy.swallowing = false;
  expect((await set).current).toEqual(["job_events-1", "job_events-2"]);
}, 60_000);

test("a handshake that is swallowed is given up, and tried again", async () => {
  proxy.swallowing = true;
  const { page } = await open({ clock: true });
  await vi.waitFor(() => expect(proxy.connections).toBe(1), patience);
  await page.clock.fastForward(15_000);
  await vi.waitFor(async () => expect(await kinds(page)).toEqual(["timeout"]), patience);
  await vi.waitFor(() => expect(proxy.connections).toBe(2), patience);
}, 60_000);

test("a page that becomes visible asks at once, and reconnects where nothing answers", async () => {
  const { page, sockets } = await open({ clock: true });
  await setGroups(page, { job_events: [1] });
  const sent = sockets[0]!.length;
  proxy.swallowing = true;
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await vi.waitFor(() => expect(sockets[0]).toHaveLength(sent + 1), patience);
  await page.clock.fastForward(15_000);
  await vi.waitFor(async () => expect((await states(page)).slice(2, 3)).toEqual(["timeout"]), patience);
}, 60_000);

// Chromium fires resume, visibilitychange and pageshow, in this order, and closes
// the socket of a page that it puts into the cache.
test("a page that is shown from the back-forward cache is connected again, and told a gap", async () => {
  const { page, sockets } = await open();
  await page.evaluate(() => {
    Object.assign(globalThis, { heard: [] });
    const { heard } = globalThis as unknown as { heard: string[] };
    for (const kind of ["freeze", "resume", "visibilitychange"]) document.addEventListener(kind, () => heard.push(kind));
    addEventListener("pageshow", (e) => { if (e.persisted) heard.push("pageshow"); });
  });
  await setGroups(page, { job_events: [1] });
  await page.goto(`${site.origin}/belfry.js`);
  await page.evaluate(() => history.back());
  await vi.waitFor(async () => expect(await read(page, "gaps")).toEqual([{ groups: ["job_events-1"], cause: "reconnect" }]), patience);
  expect(await page.evaluate("heard")).toEqual(["visibilitychange", "freeze", "resume", "visibilitychange", "pageshow"]);
  expect(sockets).toHaveLength(2);
}, 60_000);

test("a try that is minutes away comes forward when the page comes back from the cache", async () => {
  const { page } = await open({ minDelay: 600_000, maxDelay: 600_000, timeout: 60_000 });
  await setGroups(page, { job_events: [1] });
  await gateway.end("SIGKILL");
  await vi.waitFor(async () => expect((await read(page, "states")).at(-1)?.retryIn).toBe(600_000), patience);
  await gateway.start();
  await page.goto(`${site.origin}/belfry.js`);
  await page.evaluate(() => history.back());
  await vi.waitFor(async () => expect(await read(page, "gaps")).toHaveLength(1), patience);
  expect(await states(page)).toContain("visible");
}, 60_000);

test("a socket that the page's policy forbids ends in an error notice: Chromium says no close", async () => {
  const { page } = await open({ minDelay: 600_000, maxDelay: 600_000 }, "connect-src 'none'");
  await vi.waitFor(async () => expect(await kinds(page)).toEqual(["handshake_failed"]), patience);
  expect((await read(page, "states")).at(-1)).toEqual({ state: "disconnected", code: 1006, reason: "", retryIn: 600_000 });
  expect(proxy.connections).toBe(0);
}, 60_000);

test("the former user's token is not sent again, nor one that comes late", async () => {
  const { page } = await open();
  await page.evaluate(() => client.close());
  const urls: string[] = [];
  page.on("websocket", (socket) => urls.push(new URL(socket.url()).searchParams.get("token")!));
  await page.evaluate((url) => {
    const answers: ((token: string) => void)[] = [];
    client = Belfry.shared(url, { getToken: () => new Promise((resolve) => { answers.push(resolve); }) });
    Object.assign(globalThis, { answers });
  }, `ws://127.0.0.1:${proxy.port}/websocket`);
  const answer = (n: number, token: string) => page.evaluate(([n, token]) => (globalThis as any).answers[n!](token), [n, token] as const);
  const asked = (count: number) => page.waitForFunction((count) => (globalThis as any).answers.length === count, count);
  await asked(1);
  await page.evaluate(() => { client.close(); client.connect(); });
  await asked(2);
  await answer(1, "bob");
  await answer(0, "alice");
  await vi.waitFor(async () => expect(await page.evaluate(() => client.state)).toBe("connected"), patience);
  expect((await setGroups(page, { job_events: [1] })).denied).toEqual(["job_events-1"]); // bob sees no job
  await page.evaluate(() => { client.close(); client.connect(); });
  await asked(3);
  await answer(2, "alice");
  expect((await setGroups(page, { job_events: [1] })).current).toEqual(["job_events-1"]);
  expect(urls).toEqual(["bob", "alice"]);
}, 60_000);
