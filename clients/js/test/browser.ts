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
  var seen: { texts: string[]; gaps: belfry.GapNotice[]; states: belfry.StateNotice[] };
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
      const page = pages.get(request.url!);
      response.writeHead(page ? 200 : 404, { "Content-Type": page?.type ?? "text/plain" }).end(page?.text);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Site(server);
  }

  get origin(): string { return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`; }

  address(build: Build): string { return `${this.origin}/${encodeURIComponent(build)}`; }

  async stop(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, "close");
  }
}

/** Headless Chromium with a profile of its own. */
export async function launch(): Promise<{ browser: Browser; close(): Promise<void> }> {
  const dumps = mkdtempSync(join(tmpdir(), "belfry-client-browser-"));
  const browser = await chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
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
