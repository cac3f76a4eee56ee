import { describe, expect, it, vi } from "vitest";
import { accepted, connected, nextTry, paced, playClients, settle, start } from "./client.js";
import { FakeSocket } from "./fake.js";

playClients();

const event = (job: number, counter: number) => JSON.stringify({ group_name: "job_events", job, counter });

describe("active", () => {
  it("resolves when the group is, and not before", async () => {
    const b = await accepted();
    const done = vi.fn();
    void b.subscribe("job_events", 1).active.then(done);
    await paced();
    expect(done).not.toHaveBeenCalled();
    FakeSocket.last.answer(["job_events-1"]);
    await settle();
    expect(done).toHaveBeenCalledWith(undefined);
  });

  it("resolves without a message where somebody watches the group already", async () => {
    const b = await connected();
    const { active } = b.subscribe("jobs", "summary");
    await paced();
    await active;
    expect(FakeSocket.last.sent).toHaveLength(1);
  });

  it("resolves after a reconnect where the connection was lost first", async () => {
    const b = await accepted();
    const { active } = b.subscribe("job_events", 1);
    await paced();
    FakeSocket.last.end(1006);
    await nextTry();
    FakeSocket.last.accept();
    FakeSocket.last.answer(["job_events-1"]);
    await active;
  });

  it("rejects where the group is denied, also when that is known already; the others resolve", async () => {
    const b = await accepted();
    const [no, yes] = [b.subscribe("job_events", 1), b.subscribe("job_events", 2)];
    const refused = expect(no.active).rejects.toThrow("access denied to job_events-1");
    await paced();
    FakeSocket.last.deny("job_events", 1);
    FakeSocket.last.answer(["job_events-2"]);
    await refused;
    await yes.active;
    const again = expect(b.subscribe("job_events", 1).active).rejects.toThrow("access denied to job_events-1");
    await paced();
    await again;
  });

  it("rejects where the group is not valid", async () => {
    const b = await accepted();
    const { active } = b.subscribe("a-b", 1);
    await paced();
    FakeSocket.last.refuse("not a name");
    await expect(active).rejects.toThrow("not a name");
  });

  it("rejects by unsubscribe, by close, and on a client that is closed", async () => {
    const b = await accepted();
    const left = b.subscribe("job_events", 1);
    left.unsubscribe();
    await expect(left.active).rejects.toThrow("unsubscribed");
    const { active } = b.subscribe("job_events", 1);
    b.close();
    await expect(active).rejects.toThrow("closed");
    await expect(b.subscribe("job_events", 1).active).rejects.toThrow("closed");
  });

  it("need not be caught", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const b = start();
    b.subscribe("job_events", 1).unsubscribe();
    b.close();
    vi.useRealTimers();
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});

describe("a handler", () => {
  it("gets the events of its item until unsubscribe", async () => {
    const b = await accepted();
    const seen: string[] = [];
    const one = b.subscribe("job_events", 1, (e) => seen.push(e.text));
    for (const text of [event(1, 1), event(2, 2), event(1, 3), '{"group_name":"jobs","unified_job_id":1}', "null"]) FakeSocket.last.frame(text);
    one.unsubscribe();
    FakeSocket.last.frame(event(1, 4));
    expect(seen).toEqual([event(1, 1), event(1, 3)]);
  });

  it("of a name that does not tell its items gets all of the name", async () => {
    const b = await accepted();
    const seen: unknown[] = [];
    b.subscribe("schedules", "changed", (e) => seen.push(e.payload));
    FakeSocket.last.frame('{"group_name":"schedules","id":3}');
    expect(seen).toEqual([{ group_name: "schedules", id: 3 }]);
  });

  it("may be the same for two groups, and twice for one; each leaves alone", async () => {
    const b = await accepted();
    const handler = vi.fn();
    const all = [b.subscribe("job_events", 1, handler), b.subscribe("job_events", "1", handler), b.subscribe("job_events", 2, handler)];
    FakeSocket.last.frame(event(1, 1));
    expect(handler).toHaveBeenCalledTimes(2);
    all[0]!.unsubscribe();
    all[0]!.unsubscribe();
    FakeSocket.last.frame(event(1, 2));
    FakeSocket.last.frame(event(2, 3));
    expect(handler).toHaveBeenCalledTimes(4);
  });

  it.each([["a handler", {}], ["itemOf", { itemOf: () => { throw new Error("mine"); } }]])(
    "that throws (%s) stops nobody, and the page is told", async (who, options) => {
      const b = await accepted(options);
      const others = vi.fn();
      b.on("event", others);
      b.subscribe("job_events", 1, () => { throw new Error("mine"); });
      b.subscribe("job_events", 1, others);
      FakeSocket.last.frame(event(1, 1));
      expect(others).toHaveBeenCalledTimes(who === "itemOf" ? 1 : 2);
      expect(() => vi.advanceTimersToNextTimer()).toThrow("mine");
    });

  it("may leave, and come, while an event is delivered", async () => {
    const b = await accepted();
    const late = vi.fn();
    const one = b.subscribe("job_events", 1, () => {
      one.unsubscribe();
      b.subscribe("job_events", 1, late);
    });
    FakeSocket.last.frame(event(1, 1));
    FakeSocket.last.frame(event(1, 2));
    expect(late).toHaveBeenCalledTimes(1);
  });

  it("goes on over a reconnect", async () => {
    const b = await accepted();
    const handler = vi.fn();
    b.subscribe("job_events", 1, handler);
    FakeSocket.last.end(1006);
    await nextTry();
    FakeSocket.last.accept();
    FakeSocket.last.answer(["job_events-1"]);
    FakeSocket.last.frame(event(1, 1));
    expect(handler).toHaveBeenCalledOnce();
  });
});

it("an event asks for its item once, however many watch", async () => {
  const itemOf = vi.fn(({ payload }: { payload: unknown }) => (payload as { job: number }).job);
  const b = await accepted({ itemOf });
  const seen = vi.fn();
  for (let n = 0; n < 1000; n++) b.subscribe("job_events", n, seen);
  FakeSocket.last.frame(event(7, 1));
  expect(itemOf).toHaveBeenCalledOnce();
  expect(seen).toHaveBeenCalledOnce();
  FakeSocket.last.frame('{"group_name":"jobs"}');
  expect(itemOf).toHaveBeenCalledOnce(); // nobody watches that
});
