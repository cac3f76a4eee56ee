/** One job's output. Lines are keyed by their counter, so that each is shown
 *  once and in order whether it came live, from the API, or both. */
export class Output {
  constructor(element, load) {
    this.element = element;
    this.load = load;
    this.open(undefined);
  }

  open(job) {
    this.job = job;
    this.shown = 0; // every line up to this counter is on the screen
    this.early = new Map(); // lines that came before one that is missing
    this.element.textContent = "";
  }

  add({ job, counter, stdout }) {
    if (job !== this.job || counter <= this.shown) return;
    this.early.set(counter, stdout);
    const atEnd = this.element.scrollHeight - this.element.scrollTop - this.element.clientHeight < 40;
    let text = "";
    while (this.early.has(this.shown + 1)) {
      text += this.early.get(++this.shown) + "\n";
      this.early.delete(this.shown);
    }
    if (text) this.element.append(text);
    if (atEnd) this.element.scrollTop = this.element.scrollHeight;
  }

  /** Loads what is missing from the API, page by page. */
  async fill() {
    const job = this.job;
    if (job === undefined) return;
    for (;;) {
      const lines = await this.load(job, this.shown);
      if (job !== this.job) return;
      for (const line of lines) this.add(line);
      if (lines.length < 1000) return;
    }
  }
}
