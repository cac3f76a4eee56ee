// The types of the packed client, in the ways in which TypeScript 5 finds them.
import { describe, expect, test } from "vitest";
import { project, tool } from "./project.mjs";

const page = `import { Belfry, type JobEvent, type BelfryOptions } from "belfry-client";
const options: BelfryOptions = { getToken: async () => "t" };
const b = new Belfry("ws://tower", options);
export async function first(): Promise<JobEvent | undefined> { for await (const e of b.events("job_events", 1)) return e.payload; }
export const { active } = b.subscribe("job_events", 1, ({ payload }) => payload.counter.toFixed());
void b.setGroups({ jobs: ["summary"] });
// @ts-expect-error: there is no such name
void b.setGroups({ job: ["summary"] });
`;

function compile(text, resolution, module, file, type = "commonjs") {
  const compilerOptions = { noEmit: true, strict: true, target: "es2020", lib: ["es2020", "dom"], types: [], moduleResolution: resolution, module };
  const dir = project({
    [file]: text, "tsconfig.json": JSON.stringify({ compilerOptions, files: [file] }), "package.json": JSON.stringify({ private: true, type }),
  });
  return tool(dir, "tsc", "--pretty", "false").text;
}

const ways = [
  ["bundler", "es2022", "page.ts", "commonjs"], ["bundler", "es2022", "page.ts", "module"], ["node16", "node16", "page.ts", "commonjs"], ["node16", "node16", "page.ts", "module"],
  ["node16", "node16", "page.cts", "commonjs"], ["node16", "node16", "page.mts", "commonjs"], ["nodenext", "nodenext", "page.ts", "commonjs"], ["node10", "commonjs", "page.ts", "commonjs"],
];

describe.each(ways)("moduleResolution %s, module %s, %s of a package of type %s", (resolution, module, file, type) => {
  test("finds them, and they are right", () => {
    expect(compile(page, resolution, module, file, type)).toBe("");
  });
});

test("a browser's WebSocket and that of the package ws may be passed", () => {
  expect(compile('import { Belfry } from "belfry-client"; new Belfry("ws://tower", { getToken: () => "t", WebSocket });', "bundler", "es2022", "page.ts")).toBe("");
  const ws = 'import { Belfry } from "belfry-client"; import { WebSocket } from "ws"; new Belfry("ws://tower", { getToken: () => "t", WebSocket });';
  expect(compile(ws, "bundler", "es2022", "page.ts").split("\n").filter((line) => line.startsWith("page.ts"))).toEqual([]);
});
