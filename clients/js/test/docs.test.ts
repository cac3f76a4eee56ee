// The tables of close codes: the protocol's, the guide's, and the client's rule.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { closeRule } from "../src/index.js";

/** What a table says last about each code that it begins a row with. */
function codes(document: string): Map<number, string> {
  const text = readFileSync(join(import.meta.dirname, "../../../docs", document), "utf8");
  const out = new Map<number, string>();
  for (const [, cells, last] of text.matchAll(/^\| ((?:\d{4}(?:, )?)+) \|.*\| (.*) \|$/gm)) {
    for (const code of cells!.split(", ")) out.set(Number(code), last!);
  }
  return out;
}

test("the close codes of the protocol, of the guide and of the client agree", () => {
  const protocol = codes("client-protocol.md");
  const guide = codes("clients.md");
  expect(protocol.size).toBeGreaterThan(8);
  expect([...guide.keys()]).toEqual([...protocol.keys()]);
  for (const [code, text] of protocol) {
    const reconnect = !/^not /.test(text);
    expect(closeRule(code)).toMatchObject({ reconnect, newToken: /new token/.test(text) });
    expect(guide.get(code)).toMatch(reconnect ? /comes back/ : /stays away/);
    expect(/new token/.test(guide.get(code)!)).toBe(closeRule(code).newToken);
  }
});
