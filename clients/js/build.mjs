// Builds dist/: an ES module with types, and one minified file for a <script>
// tag (global `belfry`). Prints the size that a browser downloads and fails
// above the bound that the README promises.
import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync, rmSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const bound = 6 * 1024; // bytes, minified and compressed

rmSync("dist", { recursive: true, force: true });
const shared = { entryPoints: ["src/index.ts"], bundle: true, target: "es2020", logLevel: "warning" };
await build({ ...shared, format: "esm", outfile: "dist/belfry.js" });
await build({ ...shared, format: "iife", globalName: "belfry", minify: true, outfile: "dist/belfry.min.js" });
execFileSync("npx", ["tsc"], { stdio: "inherit" });
copyFileSync("../../LICENSE", "LICENSE");

const file = readFileSync("dist/belfry.min.js");
const size = gzipSync(file, { level: 9 }).length;
console.log(`dist/belfry.min.js: ${file.length} bytes minified, ${size} bytes compressed (bound ${bound})`);
if (size > bound) {
  console.error("the client is larger than its README promises: make it smaller");
  process.exit(1);
}
