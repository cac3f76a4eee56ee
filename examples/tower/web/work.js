// What is on the page while somebody is logged in: loaded from the API, and
// loaded again, or changed in place, when Belfry says that it changed.
import { ApiError, api } from "./api.js";
import { $, element, keepFocus, noTroubles, say, trouble } from "./dom.js";
import { JobList, ended } from "./joblist.js";
import { Journal } from "./journal.js";
import { Output } from "./output.js";
import { Reload } from "./reload.js";
import { ScheduleList } from "./schedulelist.js";

const lightWords = { connected: "live", connecting: "connecting", disconnected: "not connected" };

const narrow = matchMedia("(max-width: 56rem)"); // one column, as style.css has it

export class Work {
  /** onEnd is called with a reason when the session has ended. */
  constructor({ user, websocket }, onEnd) {
    Object.assign(this, { user, onEnd });
    this.over = new AbortController(); // ends requests and listeners with the work
    this.titles = new Map();
    const titleOf = (template) => this.titles.get(template) ?? template;
    this.output = new Output($("output"), (job, after) => this.api(`/api/jobs/${job}/events?after=${after}`));
    this.jobs = new JobList($("jobs"), $("no-jobs"), { onOpen: (id) => this.open(id), titleOf });
    this.schedules = new ScheduleList($("schedules"), $("no-schedules"), {
      titleOf,
      onEnable: (id, enabled) => this.changeSchedule(id, { method: "PATCH", body: { enabled } }),
      onDelete: (id) => this.changeSchedule(id, { method: "DELETE" }),
    });
    this.journal = new Journal($("journal"));
    this.reloads = {
      templates: this.reload("the templates", () => this.loadTemplates()),
      session: this.reload("the session", () => this.loadSession()),
      jobs: this.reload("the jobs", () => this.loadJobs()),
      summary: this.reload("the summary", () => this.loadSummary()),
      schedules: this.reload("the schedules", async () => this.schedules.show(await this.api("/api/schedules"))),
    };
    const { signal } = this.over;
    $("who-name").textContent = user.name + (user.admin ? ", sees every job" : "");
    $("launch").addEventListener("submit", (e) => { e.preventDefault(); this.launch(e.target.elements); }, { signal });
    $("schedule").addEventListener("submit", (e) => { e.preventDefault(); this.schedule(e.target.elements); }, { signal });
    $("cancel").addEventListener("click", () => this.cancel(), { signal });
    // Another tab of this browser may have logged out, or in as another user.
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.reloads.session.run(); }, { signal });
    this.present();
    this.reloads.templates.run();
    this.connect(websocket || `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/websocket`);
  }

  /** Leaves nothing of this user on the page. */
  end() {
    this.over.abort();
    for (const reload of [...Object.values(this.reloads), this.filling]) reload?.stop();
    this.live.close();
    this.current = undefined;
    this.output.open(undefined);
    this.jobs.show([]);
    this.schedules.show([]);
    this.present();
    this.light({ state: "disconnected" });
    this.journal.clear();
    for (const form of ["launch", "schedule"]) { $(form).reset(); $(form).elements.template.replaceChildren(); }
    $("who-name").textContent = $("summary").textContent = "";
    noTroubles();
  }

  api(path, options) { return api(path, { ...options, signal: this.over.signal }); }

  /** A Reload that says what it cannot load, and ends the work with the session. */
  reload(what, task) {
    return new Reload(task, {
      succeeded: (missed) => { trouble(what, ""); this.journal.loaded(what, missed); },
      failed: (err) => {
        if (this.isOver(err)) return false;
        const passing = err.passing === true;
        const text = `Could not load ${what}: ${err.message}.`;
        trouble(what, passing && text);
        if (!passing) say(text);
        return passing;
      },
    });
  }

  /** Whether there is nothing to tell: the work is over, or ends now. */
  isOver(err) {
    if (this.over.signal.aborted) return true;
    if (!(err instanceof ApiError) || err.status !== 401) return false;
    // The cookie is gone where another tab of this browser has logged out.
    if (!this.leaving) this.onEnd(err.reason === "not_logged_in" ? "you have logged out in another tab: log in again" : err.message);
    return true;
  }

  /** Does what the user asked for, or says why it was not done. */
  async attempt(problem, action) {
    say("");
    try {
      return await action();
    } catch (err) {
      if (!this.isOver(err)) say(`${problem}: ${err.message}.`);
    }
  }

  async loadTemplates() {
    const templates = await this.api("/api/templates");
    this.titles = new Map(templates.map((t) => [t.name, t.title]));
    for (const form of ["launch", "schedule"]) {
      $(form).elements.template.replaceChildren(...templates.map((t) => new Option(t.title, t.name)));
    }
    this.loadAll(); // they show titles
  }

  loadAll() {
    for (const what of ["jobs", "summary", "schedules"]) this.reloads[what].run();
    this.filling?.run();
  }

  /** Events of these groups may be missing: what they tell of is loaded again. */
  gap(groups) {
    this.journal.opened(groups, ["the jobs", "the summary", "the schedules", ...(this.filling ? ["the output"] : [])]);
    this.loadAll();
  }

  /** Finds out whether the session is still there, and still this user's. */
  async loadSession() {
    const { user } = await this.api("/api/me");
    if (user.id !== this.user.id) this.onEnd("Somebody else has logged in with this browser.");
    else if (this.refused) say("The server has closed the connection of this page: reload the page to connect again.");
  }

  async loadJobs() {
    this.jobs.show(await this.api("/api/jobs"));
    this.jobs.select(this.current);
    this.present();
  }

  async loadSummary() {
    const counts = await this.api("/api/jobs/summary");
    const parts = ["successful", "failed", "error", "canceled"].filter((status) => counts[status])
      .map((status) => { const part = element("span", { className: "status", textContent: `${counts[status]} ${status}` }); part.dataset.status = status; return part; });
    $("summary").replaceChildren(...parts);
  }

  connect(url) {
    this.live = new belfry.Belfry(url, { getToken: async () => (await this.api("/api/token")).token });
    this.live.on("state", (notice) => { this.light(notice); this.journal.state(notice); });
    this.live.on("event", (event) => this.received(event));
    this.live.on("gap", ({ groups }) => this.gap(groups));
    this.live.on("denied", ({ name, item }) => say(`You may not watch ${name} ${item}.`));
    this.live.on("error", ({ kind, message, cause }) => {
      if (kind === "groups_invalid" || kind === "no_socket") say(`Belfry says: ${message}.`);
      else this.isOver(cause); // the light shows what will pass
    });
    this.watch();
  }

  /** Watches what is on the screen, as one dictionary. From its answer on every
   *  change arrives; what was before is loaded then. */
  async watch() {
    const groups = { jobs: ["status_changed", "summary"], schedules: ["changed"], control: [`limit_reached_${this.user.id}`] };
    if (this.current) groups.job_events = [this.current];
    try {
      await this.live.setGroups(groups);
      this.loadAll();
    } catch {
      // It is closed, which the light shows, or refused the groups, which the error said.
    }
  }

  received({ name, payload }) {
    if (name === "job_events") this.output.add(payload);
    else if (name === "jobs" && payload.status) this.changed(payload.unified_job_id, payload.status);
    else if (name === "jobs") this.reloads.summary.run();
    else if (name === "schedules") this.reloads.schedules.run();
    else if (name === "control") this.reloads.session.run();
  }

  changed(job, status) {
    // A job that has ended is loaded for how long it took.
    if (!this.jobs.update(job, status) || ended(status)) this.reloads.jobs.run();
    if (job === this.current && ended(status)) this.filling.run(); // its output may have ended without an event
    this.present();
  }

  open(id) {
    this.current = id;
    this.jobs.select(id);
    this.output.open(id);
    this.present();
    this.filling?.stop();
    trouble("the output", "");
    this.filling = this.reload("the output", () => this.output.fill());
    this.filling.run();
    this.watch();
    if (narrow.matches) $("output-title").scrollIntoView({ block: "start" });
  }

  /** What the screen says about the open job. */
  present() {
    const { current } = this;
    const title = this.jobs.title(current);
    $("output-title").textContent = current ? `Job ${current}${title ? `: ${title}` : ""}` : "Output";
    $("output").dataset.empty = current ? "No output yet." : "Open a job to see its output.";
    const status = this.jobs.status(current);
    keepFocus(() => { $("cancel").hidden = status === undefined || ended(status); }, () => $("output"));
  }

  launch({ template }) {
    return this.attempt("The job was not launched", async () => {
      const job = await this.api("/api/jobs", { body: { template: template.value } });
      this.reloads.jobs.run();
      this.open(job.id);
    });
  }

  cancel() {
    const job = this.current;
    return this.attempt(`Job ${job} was not cancelled`, () => this.api(`/api/jobs/${job}/cancel`, { body: {} }));
  }

  schedule({ template, every, unit }) {
    return this.attempt("The schedule was not made", async () => {
      await this.api("/api/schedules", { body: { template: template.value, every: Number(every.value) * Number(unit.value) } });
      this.reloads.schedules.run();
    });
  }

  changeSchedule(id, change) {
    return this.attempt("The schedule was not changed", async () => {
      await this.api(`/api/schedules/${id}`, change);
      this.reloads.schedules.run();
    });
  }

  light({ state, code, retryIn }) {
    $("light").dataset.state = state;
    $("light-text").textContent = lightWords[state] + (retryIn ? ", trying again soon" : "");
    // 4403 and the like: it will not try again by itself.
    this.refused = state === "disconnected" && code !== undefined && retryIn === undefined;
    if (this.refused && !this.leaving) this.reloads.session.run();
  }

  async logOut() {
    this.leaving = true; // the server closes the connection, which is no news
    await this.attempt("You are still logged in", async () => {
      await this.api("/api/logout", { body: {} });
      this.onEnd("");
    });
    this.leaving = false;
    if (this.refused) this.reloads.session.run();
  }
}
