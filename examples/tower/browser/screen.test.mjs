// What the page's terminal makes of a program's output, without a browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Screen } from "../web/screen.js";

/** shown writes the pieces and returns each line's runs as [text, style], the
 *  unfinished line last. */
function shown(...pieces) {
  const screen = new Screen();
  const lines = pieces.flatMap((piece) => screen.write(piece));
  return [...lines, screen.line()].map((line) => line.map(({ text, style }) => [text, { ...style }]));
}

/** text is shown without styles. */
const text = (...pieces) => shown(...pieces).map((line) => line.map(([part]) => part).join(""));

test("colours and weights become styles, and end", () => {
  assert.deepEqual(shown("\x1b[1;34m==>\x1b[0m x\x1b[91my\x1b[39mz"), [[
    ["==>", { bold: true, fg: 4 }], [" x", {}], ["y", { fg: 9 }], ["z", {}],
  ]]);
  assert.deepEqual(shown("\x1b[38;5;196ma\x1b[48;2;1;2;3mb\x1b[m\x1b[38:2::9:8:7mc"), [[
    ["a", { fg: "#ff0000" }], ["b", { fg: "#ff0000", bg: "#010203" }], ["c", { fg: "#090807" }],
  ]]);
  assert.deepEqual(shown("\x1b[32mone\ntwo"), [[["one", { fg: 2 }]], [["two", { fg: 2 }]]], "a style outlives its line");
});

test("an escape sequence may be cut anywhere", () => {
  const whole = "a\x1b[1;31mb\x1b]0;a title\x07c\x1b[0md\n";
  const want = shown(whole);
  for (let i = 1; i < whole.length; i++) assert.deepEqual(shown(whole.slice(0, i), whole.slice(i)), want, `cut at ${i}`);
});

test("a carriage return writes over the line, as a progress bar needs it", () => {
  assert.deepEqual(text("10%\r20%\r100%\ndone"), ["100%", "done"]);
  assert.deepEqual(text("a long line\rshort"), ["shortg line"]);
  assert.deepEqual(text("a long line\r\x1b[Kshort"), ["short"]);
  assert.deepEqual(text("windows\r\nlines\r\n"), ["windows", "lines", ""]);
});

test("what is no text leaves no trace", () => {
  assert.deepEqual(text("\x1b[2J\x1b[?25la\x1b(Bb\x00\x07\x1bMc\x1b[3;4Hd"), ["abcd"]);
  assert.deepEqual(text("ab\bc\td"), ["ac      d"]);
  assert.deepEqual(text("<b>&amp;</b> caf\u00e9 \u{1f600}"), ["<b>&amp;</b> caf\u00e9 \u{1f600}"]);
});
