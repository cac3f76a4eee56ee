// Packs the client, and installs the tarball beside those who use it.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const here = import.meta.dirname;
const quiet = ["--silent", "--offline", "--no-audit", "--no-fund", "--no-update-notifier", "--foreground-scripts=false"];

export function setup() {
  const dir = mkdtempSync(join(tmpdir(), "belfry-client-consumers-"));
  const [{ filename }] = JSON.parse(execFileSync("npm", ["pack", "--json", "--pack-destination", dir, ...quiet], { cwd: join(here, ".."), encoding: "utf8" }));
  execFileSync("npm", ["install", "--no-save", ...quiet, join(dir, filename)], { cwd: here });
  rmSync(dir, { recursive: true });
}
