import { describe, expect, it, vi } from "vitest";
import { connected, nextTry, paced, playClients, settle, start } from "./client.js";
import { FakeSocket } from "./fake.js";

playClients();

describe("groups", () => {
  it("are sent first, after the accept frame, and the promise waits for the answer", async () => {
    const b = start();
    const done = vi.fn();
    void b.setGroups({ job_events: [42], jobs: ["status_changed"] }).then(done);
    await settle();
    expect(FakeSocket.last.sent).toEqual([]);
    FakeSocket.last.accept();
    expect(FakeSocket.last.sent).toEqual(['{"groups":{"job_events":["42"],"jobs":["status_changed"]}}']);
    await settle();
    expect(done).not.toHaveBeenCalled();
    FakeSocket.last.deny("job_events", 42);
    FakeSocket.last.answer(["jobs-status_changed"]);
    await settle();
    expect(done).toHaveBeenCalledWith({
      current: ["jobs-status_changed"], joined: ["jobs-status_changed"], left: [], denied: ["job_events-42"],
    });
    expect(b.state).toBe("connected");
  });

  it("changed while an answer is awaited are sent once, the latest; each promise gets the answer of its message", async () => {
    const b = start();
    const first = b.setGroups({ jobs: ["summary"] });
    await settle();
    FakeSocket.last.accept();
    const passedOver = b.setGroups({ jobs: ["a"] });
    const last = b.setGroups({ jobs: ["b"] });
    expect(FakeSocket.last.sent).toHaveLength(1);
    FakeSocket.last.answer(["jobs-summary"]);
    await paced();
    expect(FakeSocket.last.asked[1]).toEqual({ jobs: ["b"] });
    expect((await first).current).toEqual(["jobs-summary"]);
    FakeSocket.last.answer(["jobs-b"]);
    expect((await passedOver).current).toEqual(["jobs-b"]);
    expect((await last).current).toEqual(["jobs-b"]);
    expect(FakeSocket.last.sent).toHaveLength(2);
  });

  it("of subscribe come on top of setGroups and leave with the last holder", async () => {
    const b = start();
    void b.setGroups({ jobs: ["summary"] });
    const one = b.subscribe("job_events", 1);
    const two = b.subscribe("job_events", "1");
    await settle();
    FakeSocket.last.accept();
    expect(FakeSocket.last.asked[0]).toEqual({ job_events: ["1"], jobs: ["summary"] });
    FakeSocket.last.answer();
    one.unsubscribe();
    one.unsubscribe();
    await paced();
    expect(FakeSocket.last.sent).toHaveLength(1);
    two.unsubscribe();
    await settle();
    expect(FakeSocket.last.asked[1]).toEqual({ jobs: ["summary"] });
  });

  it("that are active already are asked for again by setGroups, which waits for an answer", async () => {
    const b = await connected();
    const again = b.setGroups({ jobs: ["summary"] });
    await paced();
    expect(FakeSocket.last.sent).toHaveLength(2);
    FakeSocket.last.answer(["jobs-summary"], []);
    expect(await again).toEqual({ current: ["jobs-summary"], joined: [], left: [], denied: [] });
  });

  it("that are unavailable are asked for again", async () => {
    const b = start();
    const waiting = b.setGroups({ jobs: ["summary"] });
    await settle();
    FakeSocket.last.accept();
    FakeSocket.last.refuse("subscriptions are unavailable, try again");
    expect(FakeSocket.last.sent).toHaveLength(1);
    await nextTry();
    expect(FakeSocket.last.sent).toHaveLength(2);
    FakeSocket.last.answer(["jobs-summary"]);
    expect((await waiting).current).toEqual(["jobs-summary"]);
  });
});

describe("an invalid set", () => {
  const invalid = '"a-b" is not a name';

  it("rejects its promise and leaves the last accepted one in its place", async () => {
    const b = await connected();
    const errors = vi.fn();
    b.on("error", errors);
    const bad = b.setGroups({ "a-b": ["x"] });
    await paced();
    FakeSocket.last.refuse(invalid);
    await expect(bad).rejects.toThrow(invalid);
    expect(errors.mock.calls).toEqual([[{ kind: "groups_invalid", message: invalid }]]);
    await paced();
    expect(FakeSocket.last.sent).toHaveLength(2); // the old set is active still
    b.subscribe("job_events", 1);
    await paced();
    expect(FakeSocket.last.asked[2]).toEqual({ jobs: ["summary"], job_events: ["1"] });
    FakeSocket.last.answer(["job_events-1", "jobs-summary"]);
    FakeSocket.last.end(1006);
    await nextTry();
    FakeSocket.last.accept();
    expect(FakeSocket.last.asked).toEqual([{ jobs: ["summary"], job_events: ["1"] }]);
  });

  it("that is the first does not keep the client from being connected", async () => {
    const b = start();
    const bad = b.setGroups({ "a-b": ["x"] });
    await settle();
    FakeSocket.last.accept();
    FakeSocket.last.refuse(invalid);
    await expect(bad).rejects.toThrow(invalid);
    await paced();
    expect(FakeSocket.last.asked[1]).toEqual({});
    FakeSocket.last.answer();
    expect(b.state).toBe("connected");
  });

  it("rejects only its own promise: what was asked meanwhile is sent", async () => {
    const b = await connected();
    const bad = b.setGroups({ "a-b": ["x"] });
    await paced();
    const good = b.setGroups({ jobs: ["status_changed"] });
    FakeSocket.last.refuse(invalid);
    await expect(bad).rejects.toThrow(invalid);
    await paced();
    expect(FakeSocket.last.asked[2]).toEqual({ jobs: ["status_changed"] });
    FakeSocket.last.answer(["jobs-status_changed"]);
    expect((await good).current).toEqual(["jobs-status_changed"]);
  });

  it("asked for while the connection is away does not come between the client and its old set", async () => {
    const b = await connected();
    FakeSocket.last.end(1006);
    const bad = b.setGroups({ "a-b": ["x"] });
    const gaps = vi.fn();
    b.on("gap", gaps);
    await nextTry();
    FakeSocket.last.accept();
    FakeSocket.last.refuse(invalid);
    await expect(bad).rejects.toThrow(invalid);
    await paced();
    expect(FakeSocket.last.asked).toEqual([{ "a-b": ["x"] }, { jobs: ["summary"] }]);
    FakeSocket.last.answer(["jobs-summary"]);
    expect(b.state).toBe("connected");
    expect(gaps.mock.calls).toEqual([[{ groups: ["jobs-summary"], cause: "reconnect" }]]);
  });

  it("whose answer was lost with the connection is answered on the next", async () => {
    const b = await connected();
    const bad = b.setGroups({ "a-b": ["x"] });
    await paced();
    const good = b.setGroups({ jobs: ["status_changed"] });
    FakeSocket.last.end(1006);
    await nextTry();
    FakeSocket.last.accept();
    expect(FakeSocket.last.asked).toEqual([{ jobs: ["status_changed"] }]);
    FakeSocket.last.answer(["jobs-status_changed"]);
    expect(await bad).toEqual(await good); // its successor stands for it
  });

  it.each([["of subscribe", ["bad"], 3], ["among many", ["bad", "worse"], 12]])(
    "%s takes no other along", async (_, bad, others) => {
      const b = start();
      const errors = vi.fn();
      b.on("error", errors);
      const page = b.setGroups({ jobs: ["summary"] });
      for (let n = 0; n < others; n++) {
        b.subscribe("job_events", n);
        for (const name of bad.slice(n, n + 1)) b.subscribe(name, n);
      }
      await settle();
      FakeSocket.last.accept();
      await FakeSocket.last.serve(bad);
      expect((await page).current).toContain("jobs-summary");
      const all = Array.from({ length: others }, (_, n) => String(n)).sort();
      expect(FakeSocket.last.asked.at(-1)).toEqual({ jobs: ["summary"], job_events: all });
      expect(errors).toHaveBeenCalledTimes(bad.length);
      expect(FakeSocket.last.sent.length).toBeLessThan(2 * others);
      FakeSocket.last.end(1006);
      await nextTry();
      FakeSocket.last.accept();
      expect(FakeSocket.last.asked[0]).toEqual({ jobs: ["summary"], job_events: all });
    });

  it("that was valid once is found too: another gateway may have other bounds", async () => {
    const b = start();
    void b.setGroups({ jobs: ["summary"] });
    b.subscribe("big", 1);
    b.subscribe("job_events", 1);
    await settle();
    FakeSocket.last.accept();
    await FakeSocket.last.serve([]);
    FakeSocket.last.end(1006);
    const gaps: string[] = [];
    b.on("gap", (gap) => gaps.push(...gap.groups));
    await nextTry();
    FakeSocket.last.accept();
    await FakeSocket.last.serve(["big"]);
    expect(FakeSocket.last.asked.at(-1)).toEqual({ jobs: ["summary"], job_events: ["1"] });
    expect(gaps.sort()).toEqual(["job_events-1", "jobs-summary"]); // each once, whichever answer brought it back
  });

  it("that a gateway refuses without end is not sent without end", async () => {
    const b = start();
    await settle();
    FakeSocket.last.accept();
    FakeSocket.last.refuse("no");
    await paced();
    b.subscribe("job_events", 1);
    await settle();
    FakeSocket.last.refuse("no");
    await paced();
    FakeSocket.last.refuse("no");
    await paced();
    expect(FakeSocket.last.asked).toEqual([{}, { job_events: ["1"] }, {}]);
  });

  it("that ended the connection is not sent again", async () => {
    const b = await connected();
    const bad = b.setGroups({ jobs: ["x".repeat(70_000)] });
    await paced();
    FakeSocket.last.end(1009, "message too big");
    await expect(bad).rejects.toThrow("1009 message too big");
    b.connect();
    await settle();
    FakeSocket.last.accept();
    expect(FakeSocket.last.asked).toEqual([{ jobs: ["summary"] }]);
  });
});
