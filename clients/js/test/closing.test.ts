// The tables of close codes: the one that Go and TypeScript share, the
// protocol's, the guide's, and the client's rule.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { closeRule } from "../src/index.js";

const top = join(import.meta.dirname, "../../..");

interface Row { code: number; reason: string; reconnect: boolean; new_token: boolean; client_mistake: boolean }

const golden = JSON.parse(readFileSync(join(top, "pkg/protocol/testdata/close_codes.json"), "utf8")) as Row[];

/** What a table says last about each code that it begins a row with. */
function codes(document: string): Map<number, string> {
  const text = readFileSync(join(top, "docs", document), "utf8");
  const out = new Map<number, string>();
  for (const [, cells, last] of text.matchAll(/^\| ((?:\d{4}(?:, )?)+) \|.*\| (.*) \|$/gm)) {
    for (const code of cells!.split(", ")) out.set(Number(code), last!);
  }
  return out;
}

test.each(golden)("the client keeps to the shared table: $code $reason", ({ code, reconnect, new_token, client_mistake }) => {
  expect(closeRule(code)).toEqual({ reconnect, newToken: new_token, mistake: client_mistake });
});

test("a code that is not in the table is worth another try", () => {
  for (const code of [1000, 1005, 1006, 1012, 1015, 3000, 4000, 4499]) {
    expect(closeRule(code)).toEqual({ reconnect: true, newToken: false, mistake: false });
  }
});

test("the close codes of the protocol, of the guide and of the client agree", () => {
  const protocol = codes("client-protocol.md");
  const guide = codes("clients.md");
  expect([...protocol.keys()]).toEqual(golden.map((row) => row.code));
  expect([...guide.keys()]).toEqual([...protocol.keys()]);
  for (const [code, text] of protocol) {
    const reconnect = !/^not /.test(text);
    expect(closeRule(code)).toMatchObject({ reconnect, newToken: /new token/.test(text) });
    expect(guide.get(code)).toMatch(reconnect ? /comes back/ : /stays away/);
    expect(/new token/.test(guide.get(code)!)).toBe(closeRule(code).newToken);
  }
});
