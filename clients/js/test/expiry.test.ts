// Tokens that expire while a connection is open, against a real gateway.
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Gateway } from "./gateway.js";
import { patience, watch } from "./watch.js";

let gateway: Gateway;

beforeAll(async () => {
  gateway = await Gateway.make({ jwt: true });
  await gateway.start();
}, 30_000);
afterAll(async () => { await gateway.remove(); });

test("a token that expires is replaced, and the groups come back with a gap", async () => {
  const lives = ["6s", "1h"];
  const getToken = vi.fn(() => gateway.sign("7", "job_events-*", lives.shift()!));
  const { b, seen } = watch(gateway, { getToken });
  await b.setGroups({ job_events: [1] });
  await gateway.emit("job_events-1", '{"n": 1}');
  await vi.waitFor(() => expect(seen.texts).toEqual(['{"n": 1}']), patience);
  expect(getToken).toHaveBeenCalledOnce();

  await vi.waitFor(() => expect(seen.gaps).toHaveLength(1), patience);
  expect(getToken).toHaveBeenCalledTimes(2);
  expect(seen.states.map((s) => s.code ?? s.state)).toEqual(["connecting", "connected", 4401, "connecting", "connected"]);
  expect(seen.gaps).toEqual([{ groups: ["job_events-1"], cause: "reconnect" }]);
  await gateway.emit("job_events-1", '{"n": 2}');
  await vi.waitFor(() => expect(seen.texts).toEqual(['{"n": 1}', '{"n": 2}']), patience);
}, 60_000);
