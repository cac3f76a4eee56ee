// The packed client in Jest, webpack and Vite, each as people set it up.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { JSDOM } from "jsdom";
import { describe, expect, test } from "vitest";
import { project, tool } from "./project.mjs";

/** Runs a bundle in a page, and returns what it left. */
function page(script) {
  const { window } = new JSDOM("", { runScripts: "outside-only", url: "https://tower.example/" });
  window.eval(script);
  return window.found;
}

const using = 'globalThis.found = [Belfry.name.length > 0, typeof Belfry.shared, closeRule(4401).newToken].join(" ");';
const found = "true function true";

describe("Jest", () => {
  const test1 = (how) => `${how}
test("it is there", () => {
  expect(closeRule(4401).newToken).toBe(true);
  const open = () => new Belfry("/websocket", { getToken: () => "t" }).close();
  if (typeof document === "undefined") expect(open).toThrow("absolute");
  else open();
});`;

  test.each([
    ["node", "require", 'const { Belfry, closeRule } = require("belfry-client");'], ["node", "import", 'import { Belfry, closeRule } from "belfry-client";'],
    ["jsdom", "require", 'const { Belfry, closeRule } = require("belfry-client");'], ["jsdom", "import", 'import { Belfry, closeRule } from "belfry-client";'],
  ])("in its environment %s has it by %s", (environment, _, how) => {
    const dir = project({
      "page.test.js": test1(how),
      "babel.config.json": '{"plugins": ["@babel/plugin-transform-modules-commonjs"]}',
      "package.json": JSON.stringify({ private: true, jest: { testEnvironment: environment } }),
    });
    const { status, text } = tool(dir, "jest", "--rootDir", dir, "--no-cache");
    expect(text).toMatch(/1 passed, 1 total/);
    expect(status).toBe(0);
  });
});

describe("webpack", () => {
  const webpack = createRequire(import.meta.url)("webpack");

  test.each([
    ["import", 'import { Belfry, closeRule } from "belfry-client";'], ["require", 'const { Belfry, closeRule } = require("belfry-client");'],
  ])("bundles it by %s, once, without a warning", async (how, line) => {
    const dir = project({ "page.js": line + using });
    const stats = await new Promise((resolve, reject) => {
      webpack({ mode: "production", context: dir, entry: "./page.js", output: { path: dir, filename: "out.js" } }, (err, stats) => (err ? reject(err) : resolve(stats)));
    });
    const { errors, warnings } = stats.toJson();
    expect([errors, warnings]).toEqual([[], []]);
    const modules = [...stats.compilation.modules].flatMap((m) => [m, ...(m.modules ?? [])]).map((m) => m.resource).filter(Boolean);
    const ours = new Set(modules.filter((file) => file.includes("belfry-client")).map((file) => file.split("/dist/")[1]));
    expect([...ours]).toEqual([how === "import" ? "belfry.js" : "cjs/belfry.js"]);
    expect(page(readFileSync(join(dir, "out.js"), "utf8"))).toBe(found);
  });
});

describe("Vite", () => {
  test("builds a page with it", () => {
    const dir = project({
      "index.html": '<!doctype html><script type="module" src="./page.js"></script>',
      "page.js": `import { Belfry, closeRule } from "belfry-client";${using}`,
      "vite.config.mjs": "export default {};",
    });
    const { status, text } = tool(dir, "vite", "build", "--logLevel", "warn");
    expect({ status, text }).toEqual({ status: 0, text: "" });
    const [file] = readdirSync(join(dir, "dist/assets"));
    expect(page(readFileSync(join(dir, "dist/assets", file), "utf8"))).toBe(found);
  });
});
