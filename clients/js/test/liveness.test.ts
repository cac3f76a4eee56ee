// A network or proxy that swallows everything, both ways: no close comes.
import { describe, expect, it, vi } from "vitest";
import type { ErrorNotice, GapNotice, StateNotice } from "../src/index.js";
import { accepted, connected, nextTry, paced, playClients, settle, start } from "./client.js";
import { FakeSocket } from "./fake.js";
import { playPage, returns, say } from "./page.js";

playClients();
playPage();

const pass = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);

/** Lets time pass until the last socket is asked once more. */
async function asked(): Promise<void> {
  const { length } = FakeSocket.last.sent;
  for (let n = 0; n < 450 && FakeSocket.last.sent.length === length; n++) await pass(0.1);
  expect(FakeSocket.last.sent).toHaveLength(length + 1);
}

/** What a client says from now on. */
function watch(b: Awaited<ReturnType<typeof connected>>) {
  const seen = { errors: [] as ErrorNotice[], states: [] as StateNotice[], gaps: [] as GapNotice[] };
  b.on("error", (e) => seen.errors.push(e));
  b.on("state", (s) => seen.states.push(s));
  b.on("gap", (g) => seen.gaps.push(g));
  return seen;
}

describe("a connection that is silent", () => {
  it("is asked after 30 to 45 s, by its groups again, and goes on where it answers", async () => {
    const b = await connected();
    const seen = watch(b);
    for (let n = 2; n < 6; n++) {
      await pass(29.9);
      expect(FakeSocket.last.sent).toHaveLength(n - 1);
      await asked();
      expect(FakeSocket.last.asked).toEqual(Array(n).fill({ jobs: ["summary"] }));
      FakeSocket.last.answer(["jobs-summary"], []);
    }
    expect(seen).toEqual({ errors: [], states: [], gaps: [] });
  });

  it("is given up 10 to 15 s later, which is told, and its groups come back with a gap", async () => {
    const b = await connected();
    const seen = watch(b);
    await asked();
    await pass(15);
    expect(FakeSocket.all[0]!.closed).toBe(true);
    expect(seen.errors).toMatchObject([{ kind: "timeout", message: "an answer did not come within 12000 ms" }]);
    expect(seen.states[0]).toEqual({ state: "disconnected", reason: "timeout", retryIn: expect.any(Number) });
    FakeSocket.last.accept();
    FakeSocket.last.answer(["jobs-summary"]);
    expect(seen.gaps).toEqual([{ groups: ["jobs-summary"], cause: "reconnect" }]);
  });

  it("is not given up before 10 s have passed", async () => {
    const b = await connected();
    await asked();
    await pass(9.9);
    expect(b.state).toBe("connected");
  });

  it("is not asked while anything comes", async () => {
    await connected();
    for (let n = 0; n < 20; n++) {
      await pass(25);
      FakeSocket.last.frame("1");
    }
    expect(FakeSocket.last.sent).toHaveLength(1);
    await asked();
  });

  it("has its own bounds where the page says them", async () => {
    const b = await connected({ activityTimeout: 1000, timeout: 300 });
    await pass(1.25);
    expect(FakeSocket.last.sent).toHaveLength(2);
    await pass(0.3);
    expect(b.state).toBe("disconnected");
  });

  it("hears nothing twice about a group that is denied, but for a right that was taken away", async () => {
    const b = start();
    const denied: string[] = [];
    b.on("denied", (d) => denied.push(d.item));
    void b.setGroups({ job_events: [1, 2] });
    await settle();
    FakeSocket.last.accept();
    FakeSocket.last.deny("job_events", 1);
    FakeSocket.last.answer(["job_events-2"]);
    await asked();
    FakeSocket.last.deny("job_events", 1);
    FakeSocket.last.answer(["job_events-2"], []);
    expect(denied).toEqual(["1"]);
    await asked();
    FakeSocket.last.deny("job_events", 1);
    FakeSocket.last.deny("job_events", 2);
    FakeSocket.last.answer([], [], ["job_events-2"]);
    expect(denied).toEqual(["1", "2"]);
    void b.setGroups({ job_events: [1, 2] }); // the page asks: it is answered in full
    await paced();
    FakeSocket.last.deny("job_events", 1);
    expect(denied).toEqual(["1", "2", "1"]);
  });
});

describe("every wait is bounded, told, and followed by another try:", () => {
  it("for a token", async () => {
    const b = start({ getToken: vi.fn().mockReturnValueOnce(new Promise(() => {})).mockReturnValue("t2") });
    const seen = watch(b);
    await pass(15);
    expect(seen.errors).toMatchObject([{ kind: "timeout", message: "the token of getToken did not come within 12000 ms" }]);
    expect(FakeSocket.last.url).toContain("token=t2");
  });

  it.each([
    ["a handshake", () => {}], ["the accept frame", (s: FakeSocket) => s.onopen?.()], ["a word after accept: false", (s: FakeSocket) => s.frame('{"accept": false}')],
  ])("for %s", async (_, play) => {
    const b = start();
    const seen = watch(b);
    await settle();
    play(FakeSocket.last);
    await pass(11.9);
    expect(FakeSocket.all).toHaveLength(1);
    await pass(3.1);
    expect(seen.errors).toMatchObject([{ kind: "timeout", message: "the server's acceptance did not come within 12000 ms" }]);
    expect(FakeSocket.all[0]!.closed).toBe(true);
    expect(FakeSocket.all).toHaveLength(2);
  });

  it("for the answer to setGroups, which is answered on the next connection", async () => {
    const b = await accepted();
    const seen = watch(b);
    const set = b.setGroups({ jobs: ["summary"] });
    await pass(15);
    expect(seen.errors.map((e) => e.kind)).toEqual(["timeout"]);
    FakeSocket.last.accept();
    FakeSocket.last.answer(["jobs-summary"]);
    expect((await set).current).toEqual(["jobs-summary"]);
  });

  it("for an answer that waits behind events: as long as they come, four times as long at most", async () => {
    const b = await accepted();
    const set = b.setGroups({ jobs: ["summary"] });
    for (let n = 0; n < 40; n++) {
      await pass(1);
      FakeSocket.last.frame("1");
    }
    FakeSocket.last.answer(["jobs-summary"]);
    expect((await set).current).toEqual(["jobs-summary"]);
    void b.setGroups({ jobs: ["a"] });
    for (let n = 0; n < 48; n++) {
      await pass(1);
      FakeSocket.all[0]!.frame("1");
    }
    await pass(0.1);
    expect(FakeSocket.all[0]!.closed).toBe(true);
    expect(b.state).not.toBe("connected");
  });

  it("for an answer, where the events before it end", async () => {
    const b = await accepted();
    void b.setGroups({ jobs: ["summary"] });
    await pass(10);
    FakeSocket.last.frame("1");
    await pass(11.9);
    expect(b.state).toBe("connected");
    await pass(0.1);
    expect(FakeSocket.all[0]!.closed).toBe(true);
  });
});

describe.each(Object.entries(returns))("a page that %s", (_, come) => {
  it("asks at once, and only once", async () => {
    const b = await connected();
    await pass(20);
    for (let n = 0; n < 3; n++) {
      come();
      await settle();
    }
    expect(FakeSocket.last.asked).toEqual(Array(2).fill({ jobs: ["summary"] }));
    await pass(15);
    expect(FakeSocket.all[0]!.closed).toBe(true);
    expect(b.state).toBe("connecting");
  });

  it("brings a try forward that is far away, but not before the time that the server asked for", async () => {
    const b = await connected({ minDelay: 20_000, maxDelay: 20_000 });
    const seen = watch(b);
    FakeSocket.last.end(1006);
    come();
    expect(seen.states.at(-1)).toEqual({ state: "disconnected", reason: expect.stringMatching(/visible|online/), retryIn: expect.any(Number) });
    await pass(1);
    expect(FakeSocket.all).toHaveLength(2);
    FakeSocket.last.end(1001, "retry_after_ms=30000");
    come();
    await pass(29.9);
    expect(FakeSocket.all).toHaveLength(2);
    await pass(1.1);
    expect(FakeSocket.all).toHaveLength(3);
  });

  it("changes nothing where the client is closed", async () => {
    const b = await connected();
    b.close();
    come();
    await pass(60);
    expect(FakeSocket.last.sent).toHaveLength(1);
    expect(FakeSocket.all).toHaveLength(1);
  });
});

describe("a page", () => {
  it("that becomes hidden, or is shown for the first time, asks nothing", async () => {
    await connected();
    say.hidden();
    say.pageshow(false);
    await pass(1);
    expect(FakeSocket.last.sent).toHaveLength(1);
  });

  it.each([["resume", say.resume], ["pageshow", () => say.pageshow(true)]])(
    "that was frozen reads what came meanwhile before it gives up (%s)", async (_, come) => {
      const b = await connected();
      say.visible();
      for (let n = 0; n < 47; n++) { // all the time that an answer has
        await pass(1);
        FakeSocket.last.frame("1");
      }
      await pass(0.9); // frozen here: its timers are late, its frames unread
      come();
      await pass(11);
      FakeSocket.last.answer(["jobs-summary"], []);
      expect(b.state).toBe("connected");
    });
});

it("waits and questions end with close", async () => {
  for (const b of [start({ getToken: () => new Promise(() => {}) }), await connected()]) {
    const said = vi.fn();
    b.close();
    b.on("error", said);
    b.on("state", said);
    await nextTry();
    await pass(60);
    expect(said).not.toHaveBeenCalled();
  }
  expect(vi.getTimerCount()).toBe(0);
});
