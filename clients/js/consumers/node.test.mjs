// The packed client in the versions of Node.js that people run.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Gateway } from "../test/gateway.js";
import { node, project, run } from "./project.mjs";

let gateway;
beforeAll(async () => {
  gateway = await Gateway.make();
  await gateway.start();
});
afterAll(async () => { await gateway.remove(); });

const words = 'console.log(Object.keys(client).sort().join(" "), client.closeRule(4401).newToken);';

// Before 22 Node.js has no WebSocket.
const watching = `
const client = new Belfry(process.argv[2], { getToken: () => "alice", ...(globalThis.WebSocket ? {} : { WebSocket: require("ws").WebSocket }) });
client.subscribe("job_events", 42, ({ text }) => { console.log(text); client.close(); }).active.then(() => console.log("active"));`;

for (const version of [20, 22, 24]) {
  const program = node(version);
  if (!program) console.warn(`Node.js ${version} is not tested: npm has no program of it for ${process.platform} ${process.arch}`);
  describe.skipIf(!program)(`Node.js ${version}`, () => {
    test.each([
      ["require", "page.cjs", 'const client = require("belfry-client");'], ["import", "page.mjs", 'import * as client from "belfry-client";'],
    ])("has it by %s", (_, file, how) => {
      expect(run(project({ [file]: how + words }), program, file)).toBe("Belfry closeRule true\n");
    });

    test("has its package.json and the single file", () => {
      const files = run(project({}), program, "-p", '[require("belfry-client/package.json").name, require.resolve("belfry-client/script")].join()');
      expect(files).toMatch(/^belfry-client,.*belfry\.min\.js\n$/);
    });

    test("watches a gateway, and ends when the client is closed", async () => {
      const dir = project({ "watch.cjs": `const { Belfry } = require("belfry-client");${watching}` });
      const ended = promisify(execFile)(program, [join(dir, "watch.cjs"), gateway.url], { timeout: 60_000 });
      let out = "";
      await new Promise((resolve) => ended.child.stdout.on("data", (text) => { if ((out += text).includes("active")) resolve(); }));
      await gateway.emit("job_events-42", '{"group_name": "job_events", "job": 42}');
      expect((await ended).stdout).toBe('active\n{"group_name": "job_events", "job": 42}\n');
    });
  });
}
