// The hooks of docs/clients.md as they stand there, under StrictMode, which
// mounts everything twice, against a real gateway.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { JSDOM } from "jsdom";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Gateway } from "../test/gateway.js";
import { patience } from "../test/watch.js";
import { project } from "./project.mjs";

const [, hooks] = /^### React\n[^]*?```js\n([^]*?)```/m.exec(readFileSync(join(import.meta.dirname, "../../../docs/clients.md"), "utf8"));

let gateway;
let dom;
let user = "alice";
const sockets = [];

beforeAll(async () => {
  gateway = await Gateway.make();
  await gateway.start();
  dom = new JSDOM('<div id="root"></div>', { url: gateway.url.replace("ws", "http") });
  class Recorded extends dom.window.WebSocket {
    constructor(url) {
      super(url);
      sockets.push((this.sent = []));
    }
    send(text) {
      this.sent.push(JSON.parse(text).groups);
      super.send(text);
    }
  }
  for (const [name, value] of Object.entries({
    window: dom.window, document: dom.window.document, location: dom.window.location, navigator: dom.window.navigator, WebSocket: Recorded,
    api: async (path) => ({ token: path === "/api/token" && user }),
  })) vi.stubGlobal(name, value);
});
afterAll(async () => {
  dom.window.close();
  await gateway.remove();
});

test("components share one connection, a change is one message, and a gap loads again", async () => {
  const dir = project({ "belfry.mjs": hooks });
  const { StrictMode, createElement: h, useState } = await import("react");
  const { createRoot } = await import("react-dom/client");
  const { connection, useConnectionState, useGroup } = await import(join(dir, "belfry.mjs"));
  const loads = [];
  const failures = [];

  function Job({ id }) {
    const [lines, setLines] = useState([]);
    useGroup("job_events", id, {
      event: ({ payload }) => setLines((before) => [...before, `${id}:${payload.stdout}`]),
      load: () => loads.push(id),
      failed: (err) => failures.push(err.message),
    });
    return h("p", null, lines.join(" "));
  }
  function Page({ ids }) {
    return h("div", null, h("b", null, useConnectionState()), ids.map((id) => h(Job, { key: id, id })));
  }

  const root = createRoot(document.getElementById("root"));
  const show = (ids) => root.render(h(StrictMode, null, ids && h(Page, { ids })));
  const text = () => document.getElementById("root").textContent;
  const until = (check) => vi.waitFor(check, patience);
  const emit = (job, stdout) => gateway.emit(`job_events-${job}`, JSON.stringify({ group_name: "job_events", job, stdout }));

  show([1, 2]);
  await until(() => expect(loads).toEqual([1, 2]));
  expect(sockets).toEqual([[{ job_events: ["1", "2"] }]]);
  await until(() => expect(text()).toBe("connected"));
  await emit(1, "a");
  await emit(2, "b");
  await until(() => expect(text()).toBe("connected1:a2:b"));

  show([2, 3]); // one leaves, one comes, one stays
  await until(() => expect(loads).toEqual([1, 2, 3]));
  expect(sockets).toEqual([[{ job_events: ["1", "2"] }, { job_events: ["2", "3"] }]]);

  await gateway.end("SIGKILL");
  await until(() => expect(text()).toMatch(/^(dis|)connect(ed|ing)2:b$/));
  await gateway.start();
  await until(() => expect(loads.slice(3).sort()).toEqual([2, 3]));
  await until(() => expect(text()).toBe("connected2:b"));
  await emit(3, "c");
  await until(() => expect(text()).toBe("connected2:b3:c"));

  connection().close(); // alice logs out, on a page that is still there
  await until(() => expect(text()).toMatch(/^disconnected/));
  show(undefined);
  sockets.length = 0;
  user = "bob"; // who sees no job
  connection().connect();
  show([4]);
  await until(() => expect(failures).toEqual(["access denied to job_events-4"]));
  expect(sockets).toHaveLength(1);
  root.unmount();
  await until(() => expect(sockets[0].at(-1)).toEqual({}));
  connection().close();
}, 120_000);
