// What npm would publish out of a fresh clone, and what it is to somebody who
// installs it. Real consumers (bundlers, Jest, other versions of Node.js) are in
// consumers/.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { transformSync } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const here = join(import.meta.dirname, "..");
const quiet = ["--silent", "--offline", "--no-audit", "--no-fund", "--no-update-notifier", "--foreground-scripts=false"];
let dir: string;
let pack: { filename: string; files: { path: string }[] };

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { cwd: dir, encoding: "utf8" });
}

/** Compiles a file of somebody who has the package, and returns the complaints. */
function compile(file: string, text: string, ...options: string[]): string {
  writeFileSync(join(dir, file), text);
  const fixed = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022", "--types", ""];
  return spawnSync(join(here, "node_modules/.bin/tsc"), [...fixed, ...options, file], { cwd: dir, encoding: "utf8" }).stdout;
}

/** The files of the client as a clone has them: nothing that was built. */
function clone(into: string): string {
  const top = join(here, "../..");
  const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "clients/js", "LICENSE"], { cwd: top, encoding: "utf8" });
  for (const file of files.trim().split("\n")) {
    mkdirSync(join(into, dirname(file)), { recursive: true });
    cpSync(join(top, file), join(into, file));
  }
  return join(into, "clients/js");
}

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "belfry-client-pack-"));
  const fresh = clone(join(dir, "clone"));
  expect(readdirSync(fresh)).not.toContain("dist");
  symlinkSync(join(here, "node_modules"), join(fresh, "node_modules")); // npm ci
  [pack] = JSON.parse(execFileSync("npm", ["pack", "--json", "--pack-destination", dir, ...quiet], { cwd: fresh, encoding: "utf8" }));
  rmSync(join(dir, "clone"), { recursive: true });
  writeFileSync(join(dir, "package.json"), '{"private": true}');
  run("npm", "install", ...quiet, `./${pack.filename}`);
}, 120_000);
afterAll(() => { rmSync(dir, { recursive: true, force: true }); });

test("the package holds what it is for, and nothing else", () => {
  const types = readdirSync(join(here, "src")).map((file) => file.replace(".ts", ".d.ts"));
  expect(pack.files.map((f) => f.path).sort()).toEqual([
    "LICENSE", "README.md", "package.json", "dist/belfry.js", "dist/belfry.min.js", "dist/cjs/belfry.js", "dist/cjs/package.json",
    ...types.flatMap((file) => [`dist/${file}`, `dist/cjs/${file}`]),
  ].sort());
});

test("it brings no other package", () => {
  const { dependencies } = JSON.parse(run("npm", "ls", "--all", "--json", ...quiet.slice(1)));
  expect(Object.keys(dependencies)).toEqual(["belfry-client"]);
  expect(dependencies["belfry-client"].dependencies).toBeUndefined();
}, 60_000);

const words = 'console.log(Object.keys(client).sort().join(" "), client.closeRule(4401).newToken);';

describe("it is had by its name,", () => {
  test.each([
    ["page.mjs", 'import * as client from "belfry-client";'], ["page.cjs", 'const client = require("belfry-client");'],
    ["late.cjs", 'import("belfry-client").then(({ default: _, ...client }) => {'], // a CommonJS file may import too
  ])("in %s", (file, how) => {
    writeFileSync(join(dir, file), `${how}\n${words}${how.endsWith("{") ? "});" : ""}`);
    expect(run(process.execPath, file)).toBe("Belfry closeRule true\n");
  });

  test("the single file, and its package.json", () => {
    const file = run(process.execPath, "-p", 'require.resolve("belfry-client/script")').trim();
    expect(readFileSync(file)).toEqual(readFileSync(join(here, "dist/belfry.min.js")));
    expect(run(process.execPath, "-p", 'require("belfry-client/package.json").name')).toBe("belfry-client\n");
  });
});

test.each(["belfry.js", "belfry.min.js", "cjs/belfry.js"])("%s needs no more than ES2020", (file) => {
  const text = readFileSync(join(dir, "node_modules/belfry-client/dist", file), "utf8");
  const as = (target: string) => transformSync(text, { target }).code;
  expect(as("es2020")).toBe(as("esnext"));
});

test("where there is no WebSocket it says so, once, and the process ends by itself", () => {
  writeFileSync(join(dir, "server.cjs"), `delete globalThis.WebSocket;
const client = new (require("belfry-client").Belfry)("wss://tower/websocket", { getToken: () => "t" });
client.on("error", (e) => console.log(e.kind));
client.subscribe("jobs", "summary");
for (const name of ["jobs", "schedules"]) client.events(name, "x");`);
  const { stdout, status } = spawnSync(process.execPath, ["server.cjs"], { cwd: dir, encoding: "utf8", timeout: 25_000 });
  expect({ stdout, status }).toEqual({ stdout: "no_socket\n", status: 0 });
}, 30_000);

describe.each([
  ["bundler", "es2022", "page.ts"], ["node16", "node16", "page.mts"], ["node16", "node16", "page.cts"], ["nodenext", "nodenext", "page.cts"],
])("its types, with moduleResolution %s and module %s in %s,", (resolution, module, file) => {
  const options = ["--moduleResolution", resolution, "--module", module];
  const page = (line: string) => `import { Belfry, type JobEvent } from "belfry-client";
const b = new Belfry("ws://tower", { getToken: () => "t" });
export async function first(): Promise<JobEvent | undefined> { for await (const e of b.events("job_events", 1)) return e.payload; }
${line}`;

  test("are found and right", () => {
    expect(compile(file, page('void b.setGroups({ jobs: ["summary"] });'), ...options)).toBe("");
    expect(compile(file, page('void b.setGroups({ job: ["summary"] });'), ...options)).toMatch(/^page\.\w+\(4,20\): error .*'job' does not exist in type/);
  }, 60_000);
});
