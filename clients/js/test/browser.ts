import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type Page, chromium } from "playwright-core";
import type * as belfry from "../src/index.js";

const dist = join(import.meta.dirname, "../dist");

/** The ways in which a page takes the client, each a page that has it as the
 *  global `Belfry`. */
export const builds = {
  "the ES module": '<script type="module">import { Belfry } from "/belfry.js"; globalThis.Belfry = Belfry;</script>',
  "the single file": '<script src="/belfry.min.js"></script><script>globalThis.Belfry = belfry.Belfry;</script>',
};

export type Build = keyof typeof builds;

declare global { // of the page
  var Belfry: typeof belfry.Belfry;
  var client: belfry.Belfry;
  var seen: { texts: string[]; gaps: belfry.GapNotice[]; states: belfry.StateNotice[]; errors: belfry.ErrorNotice[] };
}

/** Serves one page for each build, and the builds. */
export class Site {
  private constructor(private readonly server: Server) {}

  static async start(): Promise<Site> {
    const pages = new Map<string, { type: string; text: string }>();
    for (const [name, script] of Object.entries(builds)) {
      const text = `<!doctype html><meta charset="utf-8"><title>client</title>${script}`;
      pages.set(`/${encodeURIComponent(name)}`, { type: "text/html", text });
    }
    for (const file of ["belfry.js", "belfry.min.js"]) {
      pages.set(`/${file}`, { type: "text/javascript", text: readFileSync(join(dist, file), "utf8") });
    }
    const server = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url!, "http://site");
      const page = pages.get(pathname);
      const policy = searchParams.get("policy");
      response.writeHead(page ? 200 : 404, {
        "Content-Type": page?.type ?? "text/plain", ...(policy ? { "Content-Security-Policy": policy } : {}),
      }).end(page?.text);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Site(server);
  }

  get origin(): string { return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`; }

  /** The page of a build, where one is given under a Content-Security-Policy. */
  address(build: Build, policy = ""): string { return `${this.origin}/${encodeURIComponent(build)}?policy=${encodeURIComponent(policy)}`; }

  async stop(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, "close");
  }
}

/** Headless Chromium with a profile of its own, and with its back-forward cache. */
export async function launch(): Promise<{ browser: Browser; close(): Promise<void> }> {
  const dumps = mkdtempSync(join(tmpdir(), "belfry-client-browser-"));
  const browser = await chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    ignoreDefaultArgs: ["--disable-back-forward-cache"],
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", `--crash-dumps-dir=${dumps}`],
  });
  return { browser, close: async () => { await browser.close(); rmSync(dumps, { recursive: true, force: true }); } };
}

/** The websockets that a page opened, each with the texts that it sent. */
export function websockets(page: Page): string[][] {
  const all: string[][] = [];
  page.on("websocket", (socket) => {
    const sent: string[] = [];
    all.push(sent);
    socket.on("framesent", ({ payload }) => sent.push(String(payload)));
  });
  return all;
}

/** Opens a page with a client, the page's shared one, that fetches these tokens,
 *  one after the other, and the last for ever. */
export async function open(browser: Browser, address: string, url: string, options: { tokens?: string[]; clock?: boolean } & Timing = {}) {
  const { tokens = ["alice"], clock, ...timing } = options;
  const page = await browser.newPage();
  if (clock) await page.clock.install();
  const sockets = websockets(page);
  await page.goto(address);
  await page.evaluate(({ url, tokens, timing }) => {
    seen = { texts: [], gaps: [], states: [], errors: [] };
    client = Belfry.shared(url, { getToken: () => (tokens.length > 1 ? tokens.shift()! : tokens[0]!), minDelay: 50, maxDelay: 500, ...timing });
    client.on("event", (e) => seen.texts.push(e.text));
    client.on("gap", (e) => seen.gaps.push(e));
    client.on("state", (e) => seen.states.push(e));
    client.on("error", ({ kind, message }) => seen.errors.push({ kind, message }));
  }, { url, tokens, timing });
  return { page, sockets };
}

type Timing = Pick<belfry.BelfryOptions, "minDelay" | "maxDelay" | "timeout" | "activityTimeout">;

export const setGroups = (page: Page, groups: object) => page.evaluate((g) => client.setGroups(g), groups);

/** What the page's client has said. */
export const read = <K extends keyof typeof seen>(page: Page, what: K) => page.evaluate((k) => seen[k], what);

/** The message that asks for these groups. */
export const asks = (groups: object) => JSON.stringify({ groups });
