// What the sources of the client import: no file imports itself by way of others.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const src = join(import.meta.dirname, "../src");

test("no two files import each other, types included", () => {
  const files = new Map(readdirSync(src).map((file) => {
    const imported = readFileSync(join(src, file), "utf8").matchAll(/ from "\.\/(\w+)\.js"/g);
    return [file, [...imported].map(([, name]) => `${name}.ts`)];
  }));
  expect(files.size).toBeGreaterThan(10);
  const open = new Set<string>();
  const visit = (file: string): string[] => {
    if (open.has(file)) return [file];
    open.add(file);
    for (const other of files.get(file)!) {
      const circle = visit(other);
      if (circle.length > 0) return [file, ...circle];
    }
    open.delete(file);
    return [];
  };
  for (const file of files.keys()) expect(visit(file)).toEqual([]);
});
