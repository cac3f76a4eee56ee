// Starts `tower demo` on free ports, and a headless browser to look at it.
import { spawn, execFileSync } from "node:child_process";
import { createServer } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const top = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** until polls, because what is waited for is in another process. */
export async function until(what, condition, within = 20_000) {
  const deadline = Date.now() + within;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited ${within} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Tower is the demo: the example application and its Belfry. */
export class Tower {
  static async start() {
    const t = new Tower();
    const [page, gateway, admin] = [await freePort(), await freePort(), await freePort()];
    t.url = `http://127.0.0.1:${page}/`;
    t.health = `http://127.0.0.1:${admin}/health/ready`;
    t.output = "";
    t.process = spawn(join(top, "bin", "tower"), [
      "demo", "--listen", `127.0.0.1:${page}`, "--gateway", `127.0.0.1:${gateway}`, "--admin", `127.0.0.1:${admin}`,
    ], { cwd: top, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [t.process.stdout, t.process.stderr]) stream.on("data", (text) => { t.output += text; });
    await t.ready();
    return t;
  }

  async ready() {
    await until(`tower and its Belfry; it said:\n${this.output}`, async () => {
      for (const url of [this.url, this.health]) {
        const answer = await fetch(url).catch(() => undefined);
        if (!answer?.ok) return false;
      }
      return true;
    });
  }

  /** killGateway ends Belfry's process without a word; tower starts another. */
  killGateway() {
    const child = Number(execFileSync("pgrep", ["-P", String(this.process.pid), "-x", "belfry"], { encoding: "utf8" }).trim());
    process.kill(child, "SIGKILL");
  }

  async stop() {
    const ended = new Promise((resolve) => this.process.on("exit", resolve));
    this.process.kill("SIGTERM");
    return ended;
  }
}

/** browse starts Chromium with a profile of its own; the caller closes it. */
export async function browse() {
  const profile = mkdtempSync(join(tmpdir(), "tower-browser-"));
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", `--crash-dumps-dir=${profile}`],
  });
  return { browser, close: async () => { await browser.close(); rmSync(profile, { recursive: true, force: true }); } };
}

/** person opens the page as somebody with cookies of their own, and logs in. */
export async function person(browser, tower, name, password = "tower") {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(tower.url);
  await logIn(page, name, password);
  return page;
}

export async function logIn(page, name, password) {
  await page.fill("#login input[name=name]", name);
  await page.fill("#login input[name=password]", password);
  await page.click("#login button[type=submit]");
}

export async function launch(page, template) {
  await page.selectOption("#launch select", template);
  await page.click("#launch button[type=submit]");
}

export const lines = async (page) => (await page.textContent("#output")).split("\n").filter(Boolean);

export const state = (page) => page.getAttribute("#light", "data-state");

/** recordCloses keeps the close codes of a context's websockets in
 *  window.closes; call it before a page is opened. */
export const recordCloses = (context) => context.addInitScript(() => {
  window.closes = [];
  window.WebSocket = class extends WebSocket {
    constructor(...args) {
      super(...args);
      this.addEventListener("close", ({ code }) => window.closes.push(code));
    }
  };
});
