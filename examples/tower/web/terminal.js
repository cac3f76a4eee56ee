import { Screen, plain } from "./screen.js";

/** Paints what a Screen makes of output. All text is set as text. */
export class Terminal {
  constructor(element) {
    this.element = element;
    this.clear();
  }

  clear() {
    this.screen = new Screen();
    this.present = document.createElement("span"); // the line that is not finished
    this.element.replaceChildren();
  }

  write(text) {
    const atEnd = this.element.scrollHeight - this.element.scrollTop - this.element.clientHeight < 40;
    const lines = this.screen.write(text);
    this.present.replaceChildren(...painted([this.screen.line()]));
    this.element.append(...painted(lines, "\n"), this.present);
    if (atEnd) this.element.scrollTop = this.element.scrollHeight;
  }
}

/** The nodes of lines; plain text that meets becomes one. */
function painted(lines, end = "") {
  const nodes = [];
  let text = "";
  const flush = () => {
    if (text) nodes.push(document.createTextNode(text));
    text = "";
  };
  for (const line of lines) {
    for (const run of line) {
      if (run.style === plain) text += run.text;
      else { flush(); nodes.push(span(run)); }
    }
    text += end;
  }
  flush();
  return nodes;
}

function span({ text, style }) {
  const node = document.createElement("span");
  node.textContent = text;
  for (const kind of ["bold", "dim", "italic", "underline", "strike"]) if (style[kind]) node.classList.add(kind);
  let { fg, bg } = style;
  if (style.inverse) [fg, bg] = [bg ?? 0, fg ?? 7];
  // Black text stands on the light form of a colour, other text on the dark one.
  const onLight = fg === 0 && bg !== undefined && bg !== 0;
  if (typeof fg === "number") node.classList.add(onLight ? "fg-ground" : `fg-${fg}`);
  else if (fg) node.style.color = fg;
  if (typeof bg === "number") node.classList.add(onLight ? `bg-light-${bg}` : `bg-${bg}`);
  else if (bg) node.style.backgroundColor = bg;
  return node;
}
