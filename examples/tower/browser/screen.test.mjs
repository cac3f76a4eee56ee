import assert from "node:assert/strict";
import { test } from "node:test";
import { Screen } from "../web/screen.js";

/** Everything that is on the screen after these writes, as plain text. */
function shown(...writes) {
  const screen = new Screen();
  const lines = writes.flatMap((text) => screen.write(text));
  return [...lines, screen.line()].map((line) => line.map((run) => run.text).join("")).join("\n");
}

/** The runs of one line: text, or [text, style]. */
function runs(...writes) {
  const screen = new Screen();
  for (const text of writes) screen.write(text);
  return screen.line().map(({ text, style }) => (Object.keys(style).length === 0 ? text : [text, { ...style }]));
}

/** Every way to cut a text in two. */
const cuts = (text) => Array.from({ length: text.length + 1 }, (_, i) => [text.slice(0, i), text.slice(i)]);

test("text is shown as it is", () => {
  assert.equal(shown("a\nb\n\nc"), "a\nb\n\nc");
  assert.equal(shown("<b>&amp;\n"), "<b>&amp;\n");
  assert.equal(shown("grüße 日本 😀"), "grüße 日本 😀");
  assert.equal(shown("a\r\nb\r\n"), "a\nb\n");
});

test("what moves within a line overwrites it", () => {
  for (const [text, want] of [
    ["10%\r20%\r30%", "30%"],
    ["downloading\rdone", "doneloading"], // as a terminal does
    ["downloading\r\x1b[Kdone", "done"],
    ["downloading\r\x1b[2Kdone", "done"],
    ["abc\b\bX", "aXc"],
    ["abc\r\b\bX", "Xbc"],
    ["abcdef\x1b[3GX", "abXdef"],
    ["abcdef\x1b[2DX", "abcdXf"],
    ["abcdef\r\x1b[CX", "aXcdef"],
    ["abcdef\x1b[2D\x1b[1KX", "    Xf"],
    ["a\tb\tc", "a       b       c"],
    ["ab\x1b[9999999CX", "abX"], // not beyond what is written
    ["\x1b[9999999GX", "X"],
  ]) assert.equal(shown(text), want, JSON.stringify(text));
});

test("a line is whole when it ends, wherever the cursor is", () => {
  assert.equal(shown("100%\r\nnext"), "100%\nnext");
  assert.equal(shown("abc\r\n"), "abc\n");
});

test("colours and weights become styles, and end where they end", () => {
  for (const [text, want] of [
    ["\x1b[31mred\x1b[0m plain", [["red", { fg: 1 }], " plain"]],
    ["\x1b[1;32mok\x1b[22m still", [["ok", { bold: true, fg: 2 }], [" still", { fg: 2 }]]],
    ["\x1b[97;41mx\x1b[39my\x1b[49mz", [["x", { fg: 15, bg: 1 }], ["y", { bg: 1 }], "z"]],
    ["\x1b[mx", ["x"]],
    ["\x1b[3;4;7;9mx\x1b[23;24;27;29my", [["x", { italic: true, underline: true, inverse: true, strike: true }], "y"]],
    ["\x1b[38;5;1mx", [["x", { fg: 1 }]]],
    ["\x1b[38;5;196mx\x1b[48;5;244my", [["x", { fg: "#ff0000" }], ["y", { fg: "#ff0000", bg: "#808080" }]]],
    ["\x1b[38;2;1;2;3;1mx", [["x", { fg: "#010203", bold: true }]]],
    ["\x1b[38:2::1:2:3mx\x1b[0;48:5:21my", [["x", { fg: "#010203" }], ["y", { bg: "#0000ff" }]]],
    ["\x1b[4:3mx\x1b[4:0my", [["x", { underline: true }], "y"]],
    ["\x1b[31m1\x1b[31m2", [["1", { fg: 1 }], ["2", { fg: 1 }]]],
    ["\x1b[38;5;999mx", ["x"]],
    ["\x1b[38;2;1;2mx", ["x"]],
    ["\x1b[5;8;10;53;99999mx", ["x"]], // blink and the like are not shown
    ["\x1b[31mA\rB", [["B", { fg: 1 }]]],
    ["\x1b[31mAA\x1b[0m\rB", ["B", ["A", { fg: 1 }]]],
  ]) assert.deepEqual(runs(text), want, JSON.stringify(text));
});

test("a colour goes on in the next line", () => {
  const screen = new Screen();
  const [first] = screen.write("\x1b[31ma\nb\x1b[0mc");
  assert.deepEqual([first, screen.line()].flat().map(({ text, style }) => [text, style.fg]), [["a", 1], ["b", 1], ["c", undefined]]);
});

test("other escape sequences and controls leave no trace", () => {
  for (const text of [
    "\x1b[2J\x1b[H\x1b[?25lx\x1b[?25h", "\x1b]0;a title\x07x", "\x1b]8;;https://example.com/\x1b\\x\x1b]8;;\x1b\\", "\x1bP1$r0m\x1b\\x",
    "\x1b(Bx", "\x1b7x\x1b8", "\x1b=x", "\x1b[>4;1mx", "\x1b[?1;31mx", "\x07x\x00\x7f\x0b\x0c\x0e", "\x9b31\x85x".replace("31", ""), "\x1b[1 qx", "\x1b_G\x1b\\x",
  ]) assert.deepEqual(runs(text), ["x"], JSON.stringify(text));
});

test("what is cut in two is understood, wherever the cut is", () => {
  for (const text of ["a\x1b[1;31mred\x1b[0m b", "\x1b]0;title\x07x", "\x1b]8;;u\x1b\\link\x1b]8;;\x1b\\", "1%\r\x1b[K2%", "\x1b[38;2;10;20;30mx", "\x1b(Bx"]) {
    const whole = runs(text);
    for (const [one, two] of cuts(text)) assert.deepEqual(runs(one, two), whole, JSON.stringify([one, two]));
    assert.deepEqual(runs(...text), whole, "one unit at a time");
  }
});

test("a sequence that never ends does not swallow the next line, and is not kept for ever", () => {
  assert.equal(shown("\x1b]0;never closed\nnext"), "\nnext");
  assert.equal(shown("\x1b]0;never", " closed\nnext"), "\nnext");
  const screen = new Screen();
  for (let i = 0; i < 100; i++) screen.write(`\x1b]0;${"x".repeat(10_000)}`);
  assert.ok(screen.rest.length < 20_000, `${screen.rest.length} characters are kept`);
  assert.deepEqual(runs("\x1b[1", "\x1b[2", "\x1b[0mx"), ["x"]);
});

test("any bytes do no harm, in linear time", () => {
  let seed = 7;
  const random = (n) => (seed = (seed * 48271) % 0x7fffffff) % n;
  const alphabet = ["\x1b", "[", "]", ";", ":", "1", "38", "5", "m", "K", "\r", "\n", "\b", "\t", "x", "😀", "\x07", "\\", "?", "\x9b", " "];
  for (let round = 0; round < 300; round++) {
    const text = Array.from({ length: 200 }, () => alphabet[random(alphabet.length)]).join("");
    const screen = new Screen();
    for (const line of [...screen.write(text), screen.line()]) for (const run of line) assert.doesNotMatch(run.text, /[\x00-\x1f\x7f-\x9f]/);
  }
  const screen = new Screen();
  screen.write("\x1b[".repeat(200_000));
  screen.write("\x1b]x".repeat(200_000));
  assert.equal(screen.write("\n").length, 1);
});
