// What npm would publish, and what it is to somebody who installs it. The
// build comes first.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const here = join(import.meta.dirname, "..");
const quiet = ["--silent", "--offline", "--no-audit", "--no-fund", "--no-update-notifier"];
let dir: string;
let pack: { filename: string; files: { path: string }[] };

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { cwd: dir, encoding: "utf8" });
}

/** Compiles a file of somebody who has the package, and returns the complaints. */
function compile(text: string, ...options: string[]): string {
  writeFileSync(join(dir, "page.ts"), text);
  try {
    const fixed = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022", "--types", ""];
    return run(join(here, "node_modules/.bin/tsc"), ...fixed, ...options, "page.ts");
  } catch (err) {
    return (err as { stdout: string }).stdout;
  }
}

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "belfry-client-pack-"));
  [pack] = JSON.parse(execFileSync("npm", ["pack", "--json", "--pack-destination", dir, ...quiet], { cwd: here, encoding: "utf8" }));
  writeFileSync(join(dir, "package.json"), '{"private": true, "type": "module"}');
  run("npm", "install", ...quiet, `./${pack.filename}`);
}, 60_000);
afterAll(() => { rmSync(dir, { recursive: true, force: true }); });

test("the package holds what it is for, and nothing else", () => {
  expect(pack.files.map((f) => f.path).sort()).toEqual([
    "LICENSE", "README.md",
    "dist/backoff.d.ts", "dist/belfry.d.ts", "dist/belfry.js", "dist/belfry.min.js", "dist/close.d.ts", "dist/emitter.d.ts",
    "dist/exchange.d.ts", "dist/frames.d.ts", "dist/index.d.ts", "dist/link.d.ts", "dist/stream.d.ts", "dist/towers.d.ts",
    "dist/types.d.ts", "dist/wanted.d.ts", "package.json",
  ]);
});

test("it brings no other package", () => {
  const { dependencies } = JSON.parse(run("npm", "ls", "--all", "--json", ...quiet.slice(1)));
  expect(Object.keys(dependencies)).toEqual(["belfry-client"]);
  expect(dependencies["belfry-client"].dependencies).toBeUndefined();
}, 60_000);

test("it is imported by its name", () => {
  writeFileSync(join(dir, "page.mjs"), `import * as client from "belfry-client";
console.log(Object.keys(client).sort().join(" "), client.closeRule(4401).newToken);`);
  expect(run(process.execPath, "page.mjs")).toBe("Belfry closeRule true\n");
  const file = run(process.execPath, "-p", 'require.resolve("belfry-client/script")').trim();
  expect(readFileSync(file)).toEqual(readFileSync(join(here, "dist/belfry.min.js")));
});

test.each([["bundler", "es2022"], ["nodenext", "nodenext"]])("its types are found and right, with moduleResolution %s", (resolution, module) => {
  const options = ["--moduleResolution", resolution, "--module", module];
  const page = (line: string) => `import { Belfry, type JobEvent } from "belfry-client";
const b = new Belfry("ws://tower", { getToken: () => "t" });
export async function first(): Promise<JobEvent | undefined> { for await (const e of b.events("job_events", 1)) return e.payload; }
${line}`;
  expect(compile(page('void b.setGroups({ jobs: ["summary"] });'), ...options)).toBe("");
  expect(compile(page('void b.setGroups({ job: ["summary"] });'), ...options)).toMatch(/^page\.ts\(4,20\): error .*'job' does not exist in type/);
}, 60_000);
