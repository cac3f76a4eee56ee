import { Terminal } from "./terminal.js";

/** One job's output. Its pieces are keyed by their counter, so that each is shown
 *  once and in order whether it came live, from the API, or both. */
export class Output {
  constructor(element, load) {
    this.terminal = new Terminal(element);
    this.load = load;
    this.open(undefined);
  }

  open(job) {
    this.job = job;
    this.shown = 0; // every piece up to this counter is on the screen
    this.early = new Map(); // pieces that came before one that is missing
    this.terminal.clear();
  }

  add(...pieces) {
    for (const { job, counter, stdout } of pieces) {
      if (job === this.job && counter > this.shown) this.early.set(counter, stdout);
    }
    let text = "";
    while (this.early.has(this.shown + 1)) {
      text += this.early.get(++this.shown);
      this.early.delete(this.shown);
    }
    if (text) this.terminal.write(text);
  }

  /** Loads what is missing from the API, page by page. Returns how many pieces
   *  it brought to the screen. */
  async fill() {
    const job = this.job;
    for (let brought = 0; ;) {
      const pieces = await this.load(job, this.shown);
      if (job !== this.job) return brought;
      const before = this.shown;
      this.add(...pieces);
      brought += this.shown - before;
      if (pieces.length < 1000) return brought;
    }
  }
}
