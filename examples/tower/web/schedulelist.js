import { element, keepFocus } from "./dom.js";

/** 90 -> "90 s", 120 -> "2 min" */
export const interval = (seconds) => (seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`);

/** The list of schedules, oldest first. */
export class ScheduleList {
  constructor(list, empty, { onEnable, onDelete, titleOf }) {
    Object.assign(this, { list, empty, onEnable, onDelete, titleOf });
    this.rows = new Map();
    this.show([]);
    this.empty.hidden = true; // it is not known yet
  }

  show(schedules) {
    const before = this.rows;
    this.rows = new Map(schedules.map((s) => [s.id, before.get(s.id) ?? this.row(s.id)]));
    for (const s of schedules) this.describe(this.rows.get(s.id), s);
    // Rows are taken out and added, not moved, so that the others keep the focus.
    keepFocus(() => {
      for (const [id, { item }] of before) if (!this.rows.has(id)) item.remove();
      for (const { item } of this.rows.values()) if (!item.isConnected) this.list.append(item);
    }, () => [...this.rows.values()].at(-1)?.toggle ?? document.querySelector("#schedule select"));
    this.empty.hidden = schedules.length > 0;
  }

  row(id) {
    const toggle = element("button", { type: "button", className: "switch", role: "switch" });
    toggle.addEventListener("click", () => this.onEnable(id, toggle.ariaChecked !== "true"));
    const remove = element("button", { type: "button", className: "quiet", textContent: "Delete" });
    remove.addEventListener("click", () => this.onDelete(id));
    const title = element("span", { className: "title" });
    const hint = element("span", { className: "hint" });
    const item = element("li", { className: "schedule" }, toggle, element("span", { className: "what" }, title, hint), remove);
    return { item, toggle, remove, title, hint };
  }

  describe({ toggle, remove, title, hint }, { template, every, by, enabled }) {
    title.textContent = this.titleOf(template);
    hint.textContent = `every ${interval(every)}, by ${by}`;
    toggle.ariaChecked = String(enabled);
    toggle.ariaLabel = `${title.textContent}, every ${interval(every)}`;
    remove.ariaLabel = `Delete ${toggle.ariaLabel}`;
  }
}
