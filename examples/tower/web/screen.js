// What a terminal makes of a program's output: lines of runs, each of one style.
// It knows colours and weights (SGR), carriage return, backspace, tab, and what
// progress bars do within their line; other escape sequences leave no trace.

/** The style of plain text; styles are compared by identity. */
export const plain = Object.freeze({});

// In this order: CSI (what does not belong to one cuts it short), the strings
// (OSC, DCS, SOS, PM, APC; the line's end ends one that is not closed), other
// escapes, controls, text, and what is none of these.
const token = /\x1b\[([0-?]*)[ -/]*([@-~])?|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\|(?=[\n\x1b]))|\x1b[ -/]*[0-~]|[\n\r\b\t]|[^\x00-\x1f\x7f-\x9f]+|[^]/g;
const unfinished = /\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b\n]*\x1b?|[ -/]*)$/;
const longest = 4096; // of an escape sequence that goes on in what comes next

export class Screen {
  constructor() {
    this.rest = ""; // an escape sequence that is not finished
    this.style = plain;
    this.cells = []; // the present line: {text, style}, one a character
    this.column = 0;
  }

  /** Returns the lines that are finished by this text, each an array of runs
   *  {text, style}. */
  write(text) {
    const lines = [];
    text = this.rest + text;
    const cut = text.search(unfinished);
    this.rest = cut < 0 ? "" : text.slice(cut, cut + longest);
    if (cut >= 0) text = text.slice(0, cut);
    for (const [part, params, final] of text.matchAll(token)) {
      if (final !== undefined) this.control(params, final);
      else if (part === "\n") { lines.push(this.line()); this.cells = []; this.column = 0; }
      else if (part === "\r") this.column = 0;
      else if (part === "\b") this.column = Math.max(0, this.column - 1);
      else if (part === "\t") this.put(" ".repeat(8 - this.column % 8));
      else if (part >= " " && !/^[\x7f-\x9f]/.test(part)) this.put(part);
    }
    return lines;
  }

  put(text) {
    for (const character of text) this.cells[this.column++] = { text: character, style: this.style };
  }

  /** The present line's runs. */
  line() {
    const runs = [];
    for (const { text, style } of this.cells) {
      const last = runs.at(-1);
      if (last?.style === style) last.text += text;
      else runs.push({ text, style });
    }
    return runs;
  }

  control(params, final) {
    if (/[<=>?]/.test(params)) return; // private ones
    const n = Number(params) || 0;
    const { length } = this.cells;
    switch (final) {
      case "m": this.style = styled(this.style, params); break;
      case "G": this.column = Math.min(Math.max(n, 1) - 1, length); break;
      case "C": this.column = Math.min(this.column + Math.max(n, 1), length); break;
      case "D": this.column = Math.max(this.column - Math.max(n, 1), 0); break;
      case "K": this.erase(n); break;
    }
  }

  /** 0: from the cursor to the end, 1: up to the cursor, 2: all of the line. */
  erase(what) {
    const blank = { text: " ", style: plain };
    if (what !== 0) this.cells.fill(blank, 0, this.column + 1);
    if (what !== 1) this.cells.length = Math.min(this.column, this.cells.length);
  }
}

const on = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike" };
const off = { 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 27: ["inverse"], 29: ["strike"], 39: ["fg"], 49: ["bg"] };

/** The style after SGR parameters (ECMA-48 8.3.117; 38 and 48 with ; or :). */
function styled(style, params) {
  const next = { ...style };
  const codes = params.split(";");
  for (let i = 0; i < codes.length; i++) {
    const [code, ...sub] = codes[i].split(":").map(Number);
    if (code === 0) for (const key of Object.keys(next)) delete next[key];
    else if (code === 4 && sub[0] === 0) delete next.underline;
    else if (code in on) next[on[code]] = true;
    else if (code in off) for (const key of off[code]) delete next[key];
    else if (code >= 30 && code <= 37) next.fg = code - 30;
    else if (code >= 40 && code <= 47) next.bg = code - 40;
    else if (code >= 90 && code <= 97) next.fg = code - 90 + 8;
    else if (code >= 100 && code <= 107) next.bg = code - 100 + 8;
    else if (code === 38 || code === 48) {
      const rest = sub.length > 0 ? sub : codes.slice(i + 1).map(Number);
      const colour = rest[0] === 5 ? indexed(rest[1]) : rest[0] === 2 ? rgb(sub.length > 0 ? rest.slice(-3) : rest.slice(1, 4)) : undefined;
      if (sub.length === 0) i += rest[0] === 5 ? 2 : rest[0] === 2 ? 4 : codes.length;
      if (colour !== undefined) next[code === 38 ? "fg" : "bg"] = colour;
    }
  }
  return Object.keys(next).length === 0 ? plain : Object.freeze(next);
}

/** One of 256: the sixteen named ones stay numbers, for the style sheet. */
function indexed(n) {
  if (!Number.isInteger(n) || n < 0 || n > 255) return undefined;
  if (n < 16) return n;
  if (n >= 232) return rgb([0, 0, 0].fill(8 + (n - 232) * 10));
  const level = (step) => (step === 0 ? 0 : 55 + step * 40);
  return rgb([level(Math.floor((n - 16) / 36)), level(Math.floor((n - 16) / 6) % 6), level((n - 16) % 6)]);
}

function rgb(parts) {
  if (parts.length !== 3 || parts.some((p) => !Number.isInteger(p) || p < 0 || p > 255)) return undefined;
  return "#" + parts.map((p) => p.toString(16).padStart(2, "0")).join("");
}
