import { describe, expect, it, vi } from "vitest";
import { accepted, paced, playClients, settle, start } from "./client.js";
import { FakeSocket } from "./fake.js";

playClients();

describe("events", () => {
  it("reach listeners with the text as it was, and only after acceptance", async () => {
    const b = start();
    const seen: string[] = [];
    b.on("event", (e) => seen.push(`${e.name} ${e.text}`));
    await settle();
    FakeSocket.last.frame("null");
    FakeSocket.last.frame("no JSON");
    FakeSocket.last.accept();
    FakeSocket.last.answer();
    FakeSocket.last.frame('{"group_name":"jobs",  "error":"of the job"}');
    expect(seen).toEqual(['jobs {"group_name":"jobs",  "error":"of the job"}']);
  });

  it.each(["null", "7", "0", '"text"', "true", "false", "[]", '["gap"]', "{}", '{"group_name":null}', '{"group_name":["jobs"]}'])(
    "may be any JSON: %s", async (text) => {
      const b = await accepted();
      const seen = vi.fn();
      b.on("event", seen);
      FakeSocket.last.frame(text);
      expect(seen.mock.calls).toEqual([[{ name: undefined, payload: JSON.parse(text), text }]]);
    });

  it.each(["null", "7", '{"error":"of a job"}', '{"groups_current":[]}', '{"gap":"text"}', '{"gap":[1]}', '{"gap":["x"],"id":1}'])(
    "are not taken for Belfry's word: %s", async (text) => {
      const b = await accepted();
      const [seen, words] = [vi.fn(), vi.fn()];
      b.on("event", seen);
      b.on("gap", words);
      b.on("error", words);
      FakeSocket.last.frame(text);
      expect(seen).toHaveBeenCalledOnce();
      expect(words).not.toHaveBeenCalled();
    });

  it("may come between a message and its answer", async () => {
    const b = await accepted();
    const seen = vi.fn();
    b.on("event", seen);
    const set = b.setGroups({ jobs: ["summary"] });
    await paced();
    const events = ["null", '["a"]', '{"error":7}', '{"error":"x","job":1}', '{"groups_current":[],"groups_left":[]}'];
    for (const text of events) FakeSocket.last.frame(text);
    expect(seen.mock.calls.map(([e]) => e.text)).toEqual(events);
    FakeSocket.last.answer(["jobs-summary"]);
    expect((await set).current).toEqual(["jobs-summary"]);
  });

  it("that are not JSON are an error, and the next one arrives", async () => {
    const b = await accepted();
    const [seen, errors] = [vi.fn(), vi.fn()];
    b.on("event", seen);
    b.on("error", (e) => errors(e.message));
    FakeSocket.last.frame("{");
    FakeSocket.last.frame("1");
    expect(errors.mock.calls).toEqual([["an event is not JSON"]]);
    expect(seen).toHaveBeenCalledOnce();
  });

  it("reach the next listener where one throws", async () => {
    const b = await accepted();
    const thrown = vi.fn();
    process.once("uncaughtException", thrown);
    const second = vi.fn();
    b.on("event", () => { throw new Error("mine"); });
    b.on("event", second);
    FakeSocket.last.frame('{"group_name":"jobs"}');
    expect(second).toHaveBeenCalledOnce();
    vi.clearAllTimers(); // the rethrow is the page's business
    process.removeListener("uncaughtException", thrown);
  });
});

it("a gap that Belfry declares is told as such", async () => {
  const b = await accepted();
  const gaps = vi.fn();
  b.on("gap", gaps);
  FakeSocket.last.frame('{"gap": ["job_events-42"]}');
  expect(gaps.mock.calls).toEqual([[{ groups: ["job_events-42"], cause: "server" }]]);
});

it("a denied group is named, whatever it is called", async () => {
  const b = await accepted();
  const denied = vi.fn();
  b.on("denied", ({ name, item }) => denied(name, item));
  const set = b.setGroups({ "two words": ["a-b for resource id 7"] });
  await paced();
  FakeSocket.last.deny("two words", "a-b for resource id 7");
  FakeSocket.last.answer();
  expect(denied.mock.calls).toEqual([["two words", "a-b for resource id 7"]]);
  expect((await set).denied).toEqual(["two words-a-b for resource id 7"]);
});
