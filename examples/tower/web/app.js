// The example Tower's page: plain modules, no build step. What is shown comes
// from the API; Belfry says when it changed, line by line for the open job.
import { ApiError, api } from "/static/api.js";
import { Output } from "/static/output.js";
import { JobList } from "/static/joblist.js";

const $ = (id) => document.getElementById(id);
const output = new Output($("output"), (job, after) => api(`/api/jobs/${job}/events?after=${after}`));
const jobs = new JobList($("jobs"), $("no-jobs"), open);
let me;
let live;
let current;

async function start() {
  try {
    const answer = await api("/api/me");
    me = answer.user;
    show("work-view");
    $("who").hidden = false;
    $("who-name").textContent = me.name + (me.admin ? ", sees every job" : "");
    await loadTemplates();
    connect(answer.websocket);
    await loadJobs();
    await watch(); // from here on every change arrives
    await loadJobs(); // and these were before
  } catch (err) {
    if (!(err instanceof ApiError) || err.status !== 401) say(err.message);
    leave();
  }
}

function connect(address) {
  const url = address || `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/websocket`;
  live = new belfry.Belfry(url, { getToken: async () => (await api("/api/token")).token });
  live.on("state", light);
  live.on("event", received);
  live.on("gap", () => { void loadJobs(); void output.fill(); });
  live.on("denied", ({ name, item }) => say(`You may not watch ${name} ${item}.`));
  live.on("error", ({ cause }) => { if (cause instanceof ApiError && cause.status === 401) leave("The session has ended: log in again."); });
}

/** The groups of what is on the screen, as one dictionary. */
function watch() {
  const groups = { jobs: ["status_changed", "summary"], control: [`limit_reached_${me.id}`] };
  if (current) groups.job_events = [current];
  return live.setGroups(groups);
}

function received({ name, payload }) {
  if (name === "job_events") output.add(payload);
  if (name === "jobs" && payload.status) {
    if (!jobs.update(payload.unified_job_id, payload.status)) void loadJobs();
    showCancel();
  }
  if (name === "control" && payload.reason === "limit_reached") void checkSession();
}

/** A newer login may have ended this session; then the API says 401. */
async function checkSession() {
  try {
    await api("/api/me");
  } catch (err) {
    if (err instanceof ApiError && err.status === 401) leave("You have logged in elsewhere; this session has ended.");
  }
}

async function loadTemplates() {
  const select = $("launch").elements.template;
  select.replaceChildren(...(await api("/api/templates")).map((t) => new Option(t.title, t.name)));
}

async function loadJobs() {
  jobs.show(await api("/api/jobs"));
  jobs.select(current);
  showCancel();
}

async function open(id) {
  current = id;
  jobs.select(id);
  showCancel();
  $("output-title").textContent = `Output of job ${id}`;
  output.open(id);
  try {
    await output.fill();
    await watch(); // from here on every line arrives
    await output.fill(); // and these were before
  } catch (err) {
    say(err.message);
  }
}

function showCancel() {
  $("cancel").hidden = !["pending", "running"].includes(jobs.status(current));
}

function light({ state, retryIn }) {
  $("light").dataset.state = state;
  const words = { connected: "live", connecting: "connecting", disconnected: "not connected" };
  $("light-text").textContent = words[state] + (retryIn ? `, next try in ${Math.ceil(retryIn / 1000)} s` : "");
}

function leave(text) {
  live?.close();
  live = current = undefined;
  $("who").hidden = true;
  if (text) say(text);
  show("login-view");
}

function show(view) {
  for (const id of ["login-view", "work-view"]) $(id).hidden = id !== view;
}

function say(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

$("login").addEventListener("submit", async (e) => {
  e.preventDefault();
  say("");
  const { name, password } = e.target.elements;
  try {
    await api("/api/login", { name: name.value, password: password.value });
    e.target.reset();
    await start();
  } catch (err) {
    say(err.message);
  }
});
$("logout").addEventListener("click", async () => { await api("/api/logout", {}); leave(); });
$("cancel").addEventListener("click", () => api(`/api/jobs/${current}/cancel`, {}));
$("launch").addEventListener("submit", async (e) => {
  e.preventDefault();
  say("");
  try {
    const job = await api("/api/jobs", { template: e.target.elements.template.value });
    await loadJobs();
    await open(job.id);
  } catch (err) {
    say(err.message);
  }
});

void start();
