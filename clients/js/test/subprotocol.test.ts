// Subprotocols in headless Chromium, which fails a connection whose server
// agrees to none of those that the page asks for.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Site, launch } from "./browser.js";
import { Gateway } from "./gateway.js";

let site: Site;
let gateway: Gateway;
let browser: Browser;
let close: () => Promise<void>;
let page: Page;

beforeAll(async () => {
  site = await Site.start();
  gateway = await Gateway.make({ origin: site.origin });
  ({ browser, close } = await launch());
  await gateway.start();
  page = await browser.newPage();
  await page.goto(site.address("the ES module"));
}, 60_000);
afterAll(async () => {
  await close?.();
  await gateway?.remove();
  await site?.stop();
});

/** Opens a websocket and gives the subprotocol and the first frame, or the close code. */
const opened = (query: string, protocols: string[]) => page.evaluate(({ url, protocols }) => new Promise((resolve) => {
  const socket = new WebSocket(url, protocols);
  socket.onmessage = (message) => { resolve([socket.protocol, JSON.parse(message.data)]); socket.close(); };
  socket.onclose = (event) => resolve(event.code);
}), { url: gateway.url + query, protocols });

const accepted = { accept: true, user: 7 };
const kubernetes = (token: string) => "base64url.bearer.authorization.k8s.io." + Buffer.from(token).toString("base64url");

test.each([
  ["none", "?token=alice", [], ""],
  ["any, the token in the query", "?token=alice", ["graphql-ws", "mqtt"], "graphql-ws"],
  ["the token behind bearer", "", ["bearer", "alice"], "bearer"],
  ["the token behind access_token, and another", "", ["access_token", "alice", "belfry"], "belfry"],
  ["the token as Kubernetes' clients have it", "", [kubernetes("alice"), "base64.binary.k8s.io"], "base64.binary.k8s.io"],
])("%s", async (_, query, protocols, agreed) => {
  expect(await opened(query, protocols)).toEqual([agreed, accepted]);
});

test("a refused token is told in a frame all the same", async () => {
  expect(await opened("", ["bearer", "eve"])).toEqual(["bearer", { accept: false, user: null }]);
});
