const at = (id) => document.getElementById(id);
const keep = 500; // lines of the log
const most = 20; // groups that are watched at a time, each over a websocket of its own
const watches = new Map(); // by group
let user = "", count = 0, held = [], holding = false;

at("token").value = config.token;

function clock() { return new Date().toLocaleTimeString([], {hour12: false}); }

// Events and what Belfry says about them are lines; newest last. kind is event,
// fine, gap or bad.
function line(kind, group, text) {
  at("hint").hidden = true;
  if (holding) { held.push([kind, group, text]); held = held.slice(-keep); return; }
  const log = at("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 8;
  const item = document.createElement("li");
  item.className = kind;
  const time = document.createElement("time");
  time.textContent = clock() + "." + String(Date.now() % 1000).padStart(3, "0");
  const name = document.createElement("b");
  name.textContent = group;
  const payload = document.createElement("code");
  payload.textContent = text;
  item.append(time, name, payload);
  log.append(item);
  while (log.children.length > keep) log.firstChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

// An event does not say which group it came through, so each group that is
// watched has a websocket of its own: what comes there is of that group.
class Watch {
  constructor(group) { this.group = group; this.pause = 500; this.open(); }

  open() {
    this.said = "connecting";
    const token = at("token").value;
    this.socket = new WebSocket(config.socket + "?token=" + encodeURIComponent(token));
    this.socket.onmessage = (message) => this.received(message.data);
    this.socket.onclose = (close) => {
      if (this.stopped) return;
      if (close.code === 4401 || close.code === 4403) {
        this.said = "closed: " + close.reason;
        line("bad", this.group, this.said);
      } else {
        const wait = this.pause / 2 + Math.random() * this.pause / 2;
        this.pause = Math.min(this.pause * 2, 15000);
        this.said = "not connected, trying again";
        this.timer = setTimeout(() => this.open(), wait);
      }
      state();
    };
    state();
  }

  stop() { this.stopped = true; clearTimeout(this.timer); this.socket.close(); }

  received(text) {
    let value = null;
    try { value = JSON.parse(text); } catch { /* shown as it is */ }
    const object = value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
    const members = Object.keys(object).length;
    if ("accept" in object && members === 2) {
      if (!object.accept) return;
      user = object.user;
      this.pause = 500;
      const dash = this.group.indexOf("-"); // the item may have dashes, the name has none
      this.socket.send(JSON.stringify({groups: {[this.group.slice(0, dash)]: [this.group.slice(dash + 1)]}}));
    } else if ("groups_current" in object) {
      this.said = object.groups_current.includes(this.group) ? "" : "not allowed";
      if (this.said === "") line("fine", this.group, "subscribed");
      state();
    } else if (members === 1 && "error" in object) {
      line("bad", this.group, object.error);
    } else if (members === 1 && "gap" in object) {
      line("gap", this.group, "gap: events may be missing");
    } else {
      at("count").textContent = ++count;
      line("event", this.group, text);
    }
  }
}

function state() {
  const all = [...watches.values()], open = all.filter((watch) => watch.said === "").length;
  const why = all.find((watch) => watch.said !== "")?.said;
  let text = "user " + user + ", watching " + open + " of " + all.length + (all.length === 1 ? " group" : " groups");
  if (all.length === 0) text = "watching nothing"; else if (open === 0) text = why;
  at("state").textContent = text;
  at("state").classList.toggle("open", all.length > 0 && open === all.length);
}

// "job_events-42" is the item 42 of the name job_events: up to the first dash.
function subscribe() {
  const token = at("token").value;
  const names = new Set(at("groups").value.split(/[\s,]+/).filter(Boolean));
  for (const [group, watch] of watches) {
    if (names.has(group) && watch.token === token && watch.said === "") continue;
    watch.stop();
    watches.delete(group);
  }
  if (token === "" && names.size > 0) line("bad", "", "a token is needed: write one above");
  for (const group of token === "" ? [] : names) {
    const dash = group.indexOf("-");
    if (dash < 1 || dash === group.length - 1) line("bad", group, "not a group: write a name, a dash and an item, such as jobs-summary");
    else if (!watches.has(group)) {
      if (watches.size === most) { line("bad", group, "this page watches " + most + " groups at most"); continue; }
      const watch = new Watch(group);
      watch.token = token;
      watches.set(group, watch);
    }
  }
  state();
  commands();
}

// quoted is a text as a POSIX shell takes it.
function quoted(text) { return /^[\w@%+=:,./-]+$/.test(text) ? text : "'" + text.replaceAll("'", "'\\''") + "'"; }

// commands writes the lines that do in a shell what the page does.
function commands() {
  const group = quoted(at("group").value), payload = quoted(at("payload").value);
  at("emit-line").textContent = config.self + " emit " + group + " " + payload;
  at("curl-line").textContent = "curl -H " + quoted("Authorization: Bearer " + config.secret) + " -d " + payload + " " +
    quoted(location.origin + "/emit/" + encodeURIComponent(at("group").value));
  at("listen-line").textContent = "BELFRY_TOKEN=" + quoted(at("token").value) + " BELFRY_URL=" + quoted(config.socket) + " " + config.self + " listen " +
    at("groups").value.split(/[\s,]+/).filter(Boolean).map(quoted).join(" ");
}

// said tells how an emit went; more is a button behind it.
function said(kind, text, more) {
  at("said").className = kind;
  at("said").replaceChildren(text, ...(more ? [" ", more] : []));
}

at("subscribe").addEventListener("submit", (event) => { event.preventDefault(); subscribe(); });

at("emit").addEventListener("submit", async (event) => {
  event.preventDefault();
  const group = at("group").value;
  try {
    const answer = await fetch("/emit/" + encodeURIComponent(group), {
      method: "POST", body: at("payload").value, headers: {"Authorization": "Bearer " + config.secret},
    });
    if (!answer.ok) { said("bad", "not emitted: " + (await answer.json()).error); return; }
    if (watches.get(group)?.said === "") { said("fine", "confirmed " + clock()); return; }
    const watch = document.createElement("button");
    watch.type = "button";
    watch.textContent = "Watch it";
    watch.addEventListener("click", () => { at("groups").value = (at("groups").value + " " + group).trim(); subscribe(); said("", ""); });
    said("gap", "confirmed " + clock() + ", but this page does not watch " + group + ": it is shown to whoever does", watch);
  } catch (error) {
    said("bad", "not emitted: " + error.message);
  }
});

for (const button of document.querySelectorAll("[data-copies]")) {
  button.addEventListener("click", async () => {
    const of = at(button.dataset.copies);
    try {
      await navigator.clipboard.writeText(of.textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    } catch { // not allowed here: it can be copied by hand
      getSelection().selectAllChildren(of);
    }
  });
}

for (const id of ["group", "payload", "groups", "token"]) at(id).addEventListener("input", commands);

at("hold").addEventListener("click", () => {
  holding = !holding;
  at("hold").setAttribute("aria-pressed", String(holding));
  at("hold").textContent = holding ? "Go on" : "Hold";
  if (!holding) { const lines = held; held = []; for (const l of lines) line(...l); }
});

at("clear").addEventListener("click", () => { at("log").replaceChildren(); held = []; count = 0; at("count").textContent = 0; });

subscribe();
