import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";

const here = import.meta.dirname;

/** Somebody's folder, until the test is over, beside whose node_modules the
 *  packed client is installed. */
export function project(files) {
  const dir = mkdtempSync(join(here, "tmp-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  for (const [name, text] of Object.entries({ "package.json": '{"private": true}', ...files })) writeFileSync(join(dir, name), text);
  return dir;
}

/** Runs a program in a folder and returns what it prints. */
export function run(dir, program, ...args) {
  return execFileSync(program, args, { cwd: dir, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** Runs a tool of node_modules in a folder: its status, and all that it prints. */
export function tool(dir, name, ...args) {
  const { status, stdout, stderr } = spawnSync(join(here, "node_modules/.bin", name), args, { cwd: dir, encoding: "utf8" });
  return { status, text: stdout + stderr };
}

/** The program of a version of Node.js; undefined where npm has none for this
 *  kind of machine. */
export function node(version) {
  const program = join(here, `node_modules/node${version}/bin/node`);
  return spawnSync(program, ["--version"]).status === 0 ? program : undefined;
}
