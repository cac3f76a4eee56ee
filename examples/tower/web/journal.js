import { element } from "./dom.js";

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const most = 50; // entries; the oldest goes

/** What Belfry did for this page: connected, lost, gaps, what was loaded again. */
export class Journal {
  constructor(list) {
    this.list = list;
    this.clear();
  }

  clear() {
    this.list.replaceChildren();
    this.since = performance.now(); // of the search for a connection
    this.connected = false;
    this.gap = undefined;
  }

  /** kind is "good", "bad" or "busy"; details are shown to who points at the entry. */
  add(kind, text, details = "") {
    const now = new Date();
    const entry = element("p", { title: details }, element("time", { dateTime: now.toISOString(), textContent: clock.format(now) }), ` ${text}`);
    entry.dataset.kind = kind;
    this.list.append(entry);
    while (this.list.children.length > most) this.list.firstChild.remove();
    this.list.scrollTop = this.list.scrollHeight;
  }

  /** A notice of the client's state. */
  state({ state, code }) {
    if (state === "connected" && !this.connected) {
      this.connected = true;
      this.add("good", `Connected after ${seconds(performance.now() - this.since)}.`);
    } else if (state !== "connected" && this.connected) {
      this.connected = false;
      this.since = performance.now();
      this.add("bad", `Connection lost${code ? ` (code ${code})` : ""}. Belfry's client tries again by itself.`);
    }
  }

  /** A gap of these groups; each of what is loaded again is told to loaded(). */
  opened(groups, loading) {
    this.gap = { start: performance.now(), loading: new Set(loading), missed: 0 };
    this.add("busy", `Gap: events of ${groups.length === 1 ? "a group" : `${groups.length} groups`} may be missing. Loading again.`, groups.join(", "));
  }

  /** What has been loaded; missed counts lines of output that had not come live. */
  loaded(what, missed = 0) {
    if (!this.gap?.loading.delete(what)) return;
    this.gap.missed += missed;
    if (this.gap.loading.size > 0) return;
    const { start, missed: lines } = this.gap;
    this.gap = undefined;
    this.add("good", `Gap closed after ${seconds(performance.now() - start)}: ${lines} missed ${lines === 1 ? "piece" : "pieces"} of output loaded, each shown once.`);
  }
}

const seconds = (ms) => `${(ms / 1000).toFixed(ms < 1000 ? 2 : 1)} s`;
