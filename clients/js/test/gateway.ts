import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const program = join(import.meta.dirname, "../../../bin/belfry");
const secret = "of this test";

export interface GatewayOptions {
  /** Take the tokens that `sign` makes, instead of alice's and bob's. */
  jwt?: boolean;
  /** The origin of a page that may connect. */
  origin?: string;
}

/** A real gateway and worker, `belfry dev`, on ports that stay the same from one
 *  life to the next. Its tokens: `alice` is user 7 and sees every job; `bob` is
 *  user 8 and sees none. */
export class Gateway {
  private process: ChildProcess | undefined;

  private constructor(
    readonly port: number, private readonly admin: number,
    private readonly dir: string, private readonly env: Record<string, string>,
  ) {}

  static async make({ jwt, origin }: GatewayOptions = {}): Promise<Gateway> {
    const dir = mkdtempSync(join(tmpdir(), "belfry-client-"));
    const file = join(dir, jwt ? "secret" : "tokens.json");
    writeFileSync(file, jwt ? randomBytes(32).toString("hex") : JSON.stringify({ alice: { user: 7, groups: ["*"] }, bob: { user: 8 } }));
    return new Gateway(await freePort(), await freePort(), dir, {
      ...(jwt ? { BELFRY_JWT_SECRET_FILE: file, BELFRY_JWT_LEEWAY: "0s" } : { BELFRY_TOKENS_FILE: file }),
      ...(origin ? { BELFRY_ALLOWED_ORIGINS: origin } : {}),
    });
  }

  get url(): string { return `ws://127.0.0.1:${this.port}/websocket/`; }

  /** Starts it, unless it runs, and waits until it is ready. */
  async start(): Promise<void> {
    if (this.process) return;
    this.process = spawn(program, ["dev"], {
      stdio: ["ignore", "ignore", "inherit"],
      env: {
        ...this.env, BELFRY_LISTEN: `127.0.0.1:${this.port}`, BELFRY_ADMIN_LISTEN: `127.0.0.1:${this.admin}`,
        BELFRY_EMIT_SECRET: secret, BELFRY_DRAIN_PERIOD: "1s",
      },
    });
    for (let tries = 0; tries < 200; tries++) {
      const answer = await fetch(`http://127.0.0.1:${this.admin}/health/ready`).catch(() => undefined);
      if (answer?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`${program} is not ready after 20 s; make build makes it`);
  }

  async emit(group: string, payload: string): Promise<void> {
    const answer = await fetch(`http://127.0.0.1:${this.admin}/emit/${group}`, {
      method: "POST", headers: { Authorization: `Bearer ${secret}` }, body: payload,
    });
    if (!answer.ok) throw new Error(`emit: ${answer.status} ${await answer.text()}`);
  }

  /** A signed token of the user, for groups of the pattern, good for `ttl`. */
  sign(user: string, groups: string, ttl: string): string {
    const BELFRY_JWT_SECRET_FILE = this.env["BELFRY_JWT_SECRET_FILE"]!;
    const args = ["token", "--user", user, "--groups", groups, "--ttl", ttl];
    return execFileSync(program, args, { encoding: "utf8", env: { BELFRY_JWT_SECRET_FILE } }).trim();
  }

  /** Ends the process with a signal and waits until it is gone. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const process = this.process;
    this.process = undefined;
    if (!process) return;
    const gone = once(process, "exit");
    process.kill(signal);
    await gone;
  }

  async remove(): Promise<void> {
    await this.end("SIGKILL");
    rmSync(this.dir, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
