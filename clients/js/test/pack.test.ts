import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

test("the package holds what it is for, and nothing else", () => {
  const [pack] = JSON.parse(execFileSync("npm", ["pack", "--dry-run", "--json", "--silent"], { encoding: "utf8" }));
  const files = pack.files.map((f: { path: string }) => f.path).filter((p: string) => !/^dist\/[a-z]+\.d\.ts$/.test(p));
  expect(files.sort()).toEqual(["LICENSE", "README.md", "dist/belfry.js", "dist/belfry.min.js", "package.json"]);
});
