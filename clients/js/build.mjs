// Builds dist/: an ES module, the same for require() in dist/cjs, each with its
// types, and one minified file for a <script> tag (global `belfry`). Prints the
// size that a browser downloads and fails above the bound that the README names.
import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

process.chdir(import.meta.dirname);
const { build } = await import("esbuild").catch(() => {
  console.error("the build needs its tools: run `npm ci` in clients/js first");
  process.exit(1);
});

const bound = 6 * 1024; // bytes, minified and compressed

rmSync("dist", { recursive: true, force: true });
const shared = { entryPoints: ["src/index.ts"], bundle: true, target: "es2020", logLevel: "warning" };
await build({ ...shared, format: "esm", outfile: "dist/belfry.js" });
await build({ ...shared, format: "cjs", outfile: "dist/cjs/belfry.js" });
await build({ ...shared, format: "iife", globalName: "belfry", minify: true, outfile: "dist/belfry.min.js" });
execFileSync(join("node_modules", ".bin", "tsc"), { stdio: "inherit" });

// Types have the module format of the package.json that is above them.
writeFileSync("dist/cjs/package.json", '{ "type": "commonjs" }\n');
for (const file of readdirSync("dist")) {
  if (file.endsWith(".d.ts")) copyFileSync(`dist/${file}`, `dist/cjs/${file}`);
}
copyFileSync("../../LICENSE", "LICENSE");

const file = readFileSync("dist/belfry.min.js");
const size = gzipSync(file, { level: 9 }).length;
console.log(`dist/belfry.min.js: ${file.length} bytes minified, ${size} bytes compressed (bound ${bound})`);
if (size > bound) {
  console.error("the client is larger than its README promises: make it smaller");
  process.exit(1);
}
