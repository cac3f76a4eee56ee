import { element } from "./dom.js";

const order = { pending: 0, running: 1 }; // every other status is final

const rank = (status) => order[status] ?? 2;

/** Whether a job with this status has ended. */
export const ended = (status) => rank(status) === 2;

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

/** "0.4 s", "12 s", "3 min 5 s". */
function took(ms) {
  const s = Math.round(ms / 1000);
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  return s < 60 ? `${s} s` : `${Math.floor(s / 60)} min ${s % 60} s`;
}

/** The list of jobs, newest first. One of its rows can be reached by Tab, the
 *  others from there with the arrow keys. */
export class JobList {
  constructor(list, empty, { onOpen, titleOf }) {
    Object.assign(this, { list, empty, onOpen, titleOf });
    this.rows = new Map();
    this.list.onkeydown = (e) => this.move(e);
    this.show([]);
    this.empty.hidden = true; // it is not known yet
  }

  /** Shows these jobs. An answer may be older than what was told live: a job
   *  whose end is known has ended. */
  show(jobs) {
    const focused = Number(document.activeElement?.dataset.job);
    const before = this.rows;
    this.rows = new Map();
    for (const job of jobs) {
      const row = before.get(job.id) ?? this.row(job);
      this.rows.set(job.id, row);
      row.title.textContent = this.titleOf(job.template);
      if (job.finished) row.lasted.textContent = `, took ${took(job.finished - job.created)}`;
      this.update(job.id, job.status);
    }
    this.list.replaceChildren(...[...this.rows.values()].map((row) => row.item));
    this.empty.hidden = jobs.length > 0;
    if (before.has(focused)) (this.rows.get(focused) ?? this.first)?.button.focus();
    this.reachable();
  }

  row(job) {
    const title = element("span", { className: "title" });
    const status = element("span", { className: "status" });
    const lasted = element("span");
    const started = new Date(job.created);
    const button = element("button", { type: "button", className: "job" },
      element("span", { className: "number", textContent: `#${job.id}` }),
      element("span", { className: "what" }, title,
        element("span", { className: "hint" }, `by ${job.by}, `, element("time", { dateTime: started.toISOString(), textContent: clock.format(started) }), lasted)),
      status);
    button.dataset.job = job.id;
    button.addEventListener("click", () => this.onOpen(job.id));
    return { item: element("li", {}, button), button, title, status, lasted };
  }

  get first() { return this.rows.values().next().value; }

  /** A status never goes back. Returns false when the job is not in the list. */
  update(id, status) {
    const row = this.rows.get(id);
    if (!row) return false;
    const now = row.status.dataset.status;
    if (now === undefined || rank(status) > rank(now)) row.status.textContent = row.status.dataset.status = status;
    return true;
  }

  status(id) { return this.rows.get(id)?.status.dataset.status; }

  title(id) { return this.rows.get(id)?.title.textContent; }

  select(id) {
    this.selected = id;
    this.reachable();
  }

  focus() { (this.rows.get(this.selected) ?? this.first)?.button.focus(); }

  reachable() {
    const one = [document.activeElement?.dataset.job, this.selected].map((id) => this.rows.get(Number(id))).find(Boolean) ?? this.first;
    for (const [id, row] of this.rows) {
      row.button.setAttribute("aria-current", String(id === this.selected));
      row.button.tabIndex = row === one ? 0 : -1;
    }
  }

  move(e) {
    const buttons = [...this.rows.values()].map((row) => row.button);
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[e.key];
    if (at < 0 || to === undefined) return;
    e.preventDefault();
    buttons[Math.min(Math.max(to, 0), buttons.length - 1)].focus();
    this.reachable();
  }
}
