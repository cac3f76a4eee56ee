// The example Tower's page: plain modules, no build step. This one shows who is
// logged in, or the way in.
import { api } from "./api.js";
import { $, noTroubles, say, trouble } from "./dom.js";
import { Reload } from "./reload.js";
import { Work } from "./work.js";

let work;

/** Asks who is logged in until the API says so. */
const start = new Reload(async () => enter(await api("/api/me")), {
  succeeded: noTroubles,
  failed: (err) => {
    if (err.passing) trouble("start", `Could not load the page: ${err.message}.`);
    else { noTroubles(); leave(err.reason === "not_logged_in" ? "" : err.message); }
    return err.passing;
  },
});

function enter(answer) {
  show("work-view");
  work = new Work(answer, leave);
}

function leave(reason) {
  work?.end();
  work = undefined;
  say(reason ? reason[0].toUpperCase() + reason.slice(1) : "");
  show("login-view");
}

/** Shows a view, with the focus on what comes first there. */
function show(view) {
  for (const id of ["login-view", "work-view"]) $(id).hidden = id !== view;
  for (const id of ["light", "who"]) $(id).hidden = view !== "work-view";
  (view === "work-view" ? $("launch").elements.template : $("login").elements.name).focus();
}

$("login").addEventListener("submit", async (e) => {
  e.preventDefault();
  say("");
  const { name, password } = e.target.elements;
  try {
    await api("/api/login", { body: { name: name.value, password: password.value } });
    e.target.reset();
    start.run();
  } catch (err) {
    say(`${err.message[0].toUpperCase()}${err.message.slice(1)}.`);
    password.select();
  }
});
$("logout").addEventListener("click", () => work?.logOut());

start.run();
