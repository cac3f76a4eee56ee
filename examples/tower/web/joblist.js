/** The list of jobs, newest first. */
export class JobList {
  constructor(list, empty, onOpen) {
    this.list = list;
    this.empty = empty;
    this.onOpen = onOpen;
    this.rows = new Map();
  }

  show(jobs) {
    const focused = document.activeElement?.dataset?.job;
    this.rows.clear();
    this.list.replaceChildren(...jobs.map((job) => this.row(job)));
    this.empty.hidden = jobs.length > 0;
    if (focused) this.rows.get(Number(focused))?.button.focus();
  }

  row(job) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.job = job.id;
    const number = Object.assign(document.createElement("span"), { className: "number", textContent: `#${job.id}` });
    const title = Object.assign(document.createElement("span"), { textContent: `${job.template}, by ${job.by}` });
    const status = Object.assign(document.createElement("span"), { className: "status" });
    button.append(number, title, status);
    button.addEventListener("click", () => this.onOpen(job.id));
    item.append(button);
    this.rows.set(job.id, { button, status });
    this.update(job.id, job.status);
    return item;
  }

  /** Returns false when the job is not in the list. */
  update(id, status) {
    const row = this.rows.get(id);
    if (!row) return false;
    row.status.textContent = row.status.dataset.status = status;
    return true;
  }

  status(id) { return this.rows.get(id)?.status.dataset.status; }

  select(id) {
    for (const [job, { button }] of this.rows) button.setAttribute("aria-current", String(job === id));
  }
}
