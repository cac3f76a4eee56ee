// Starts the example application on free ports, and a headless browser to look
// at it.
import { spawn, execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createServer } from "node:net";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
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

/** Tower is the example application and its Belfry. */
export class Tower {
  /** The demonstration: one command, as a person starts it. */
  static async start() {
    const t = await Tower.at();
    t.process = t.run("tower", ["demo", "--listen", t.page, "--gateway", t.gateway, "--admin", t.admin]);
    await t.ready();
    return t;
  }

  /** The application and Belfry as two processes, each of which can be killed.
   *  The database is a file. */
  static async startApart() {
    const t = await Tower.at();
    t.dir = mkdtempSync(join(tmpdir(), "tower-apart-"));
    const key = join(t.dir, "jwt.secret");
    const authorize = join(t.dir, "authorize.secret");
    for (const file of [key, authorize]) writeFileSync(file, randomBytes(32).toString("hex"), { mode: 0o600 });
    const emitSecret = randomBytes(16).toString("hex");
    t.belfry = t.run("belfry", ["dev"], {
      BELFRY_LISTEN: t.gateway, BELFRY_ADMIN_LISTEN: t.admin, BELFRY_EMIT_SECRET: emitSecret,
      BELFRY_ALLOWED_ORIGINS: `http://${t.page}`, BELFRY_JWT_SECRET_FILE: key, BELFRY_JWT_ISSUER: "tower",
      BELFRY_JWT_AUDIENCE: "belfry", BELFRY_USER_CLAIM: "user_id",
      BELFRY_POLICY_FILE: join(top, "configs", "policy.tower-application.json"),
      BELFRY_AUTHORIZE_URL: `http://${t.page}/internal/authorize`, BELFRY_AUTHORIZE_SECRET_FILE: authorize,
    });
    t.serve = () => {
      t.process = t.run("tower", [
        "serve", "--listen", t.page, "--database", join(t.dir, "tower.db"), "--demo-users", "--websocket-url", `ws://${t.gateway}/websocket`,
        "--amqp-url", `embedded://:${emitSecret}@${t.admin}`, "--token-key-file", key, "--authorize-secret-file", authorize,
      ]);
      return t.ready();
    };
    await t.serve();
    return t;
  }

  static async at() {
    const t = new Tower();
    [t.page, t.gateway, t.admin] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
    t.url = `http://${t.page}/`;
    t.output = "";
    return t;
  }

  run(program, args, env = {}) {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(BELFRY|TOWER)_/.test(name));
    const child = spawn(join(top, "bin", program), args, {
      cwd: top, stdio: ["ignore", "pipe", "pipe"], env: { ...Object.fromEntries(inherited), ...env },
    });
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => { this.output += text; });
    child.ended = new Promise((resolve) => child.on("exit", resolve));
    return child;
  }

  async ready() {
    await until(`tower and its Belfry; it said:\n${this.output}`, async () => {
      for (const url of [this.url, `http://${this.admin}/health/ready`]) {
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

  /** killApi ends the application without a word; serve starts it again. */
  async killApi() {
    this.process.kill("SIGKILL");
    await this.process.ended;
  }

  /** stop returns the application's exit status. */
  async stop() {
    this.process.kill("SIGTERM");
    const status = await this.process.ended;
    this.belfry?.kill("SIGTERM");
    await this.belfry?.ended;
    if (this.dir) rmSync(this.dir, { recursive: true, force: true });
    return status;
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

/** What pages threw and nobody caught, promises included. */
export const faults = [];

/** visit opens the page as somebody with cookies of their own. */
export async function visit(browser, tower, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on("pageerror", (err) => faults.push(err.stack ?? String(err)));
  await page.goto(tower.url);
  await page.waitForSelector("#login-view:not([hidden])");
  return page;
}

/** person opens the page and logs in. */
export async function person(browser, tower, name, password = "tower") {
  const page = await visit(browser, tower);
  await logIn(page, name, password);
  return page;
}

export const connected = (page, within) => until("the light to be on", async () => (await state(page)) === "connected", within);

export async function logIn(page, name, password = "tower") {
  await page.fill("#login input[name=name]", name);
  await page.fill("#login input[name=password]", password);
  await page.click("#login button[type=submit]");
}

export async function launch(page, template) {
  await page.selectOption("#launch select", template);
  await page.click("#launch button[type=submit]");
}

export async function schedule(page, template, every, unit = "1") {
  await page.selectOption("#schedule select[name=template]", template);
  await page.fill("#schedule input", String(every));
  await page.selectOption("#schedule select[name=unit]", unit);
  await page.click("#schedule button[type=submit]");
}

export const lines = async (page) => (await page.textContent("#output")).split("\n").filter(Boolean);

export const state = (page) => page.getAttribute("#light", "data-state");

/** The statuses in the list of jobs, newest first. */
export const statuses = (page) => page.locator("#jobs .status").allTextContents();

export const notice = (page) => page.textContent("#notice");

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
