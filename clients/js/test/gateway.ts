import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const program = join(import.meta.dirname, "../../../bin/belfry");
const secret = "of this test";

/** A real gateway and worker, `belfry dev`, on ports that stay the same from one
 *  life to the next. Its tokens: `alice` is user 7 and sees every job; `bob` is
 *  user 8 and sees none. */
export class Gateway {
  private process: ChildProcess | undefined;

  private constructor(private readonly port: number, private readonly admin: number, private readonly dir: string) {}

  static async make(): Promise<Gateway> {
    const dir = mkdtempSync(join(tmpdir(), "belfry-client-"));
    writeFileSync(join(dir, "tokens.json"), JSON.stringify({ alice: { user: 7, groups: ["*"] }, bob: { user: 8 } }));
    return new Gateway(await freePort(), await freePort(), dir);
  }

  get url(): string { return `ws://127.0.0.1:${this.port}/websocket/`; }

  /** Starts it, unless it runs, and waits until it is ready. */
  async start(): Promise<void> {
    if (this.process) return;
    this.process = spawn(program, ["dev"], {
      stdio: ["ignore", "ignore", "inherit"],
      env: {
        BELFRY_LISTEN: `127.0.0.1:${this.port}`, BELFRY_ADMIN_LISTEN: `127.0.0.1:${this.admin}`,
        BELFRY_TOKENS_FILE: join(this.dir, "tokens.json"), BELFRY_EMIT_SECRET: secret, BELFRY_DRAIN_PERIOD: "1s",
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
