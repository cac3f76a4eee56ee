// What the browser says about the network, as events of the page.
import { describe, expect, it, vi } from "vitest";
import type { StateNotice } from "../src/index.js";
import { connected, nextTry, playClients, settle, start, tokens } from "./client.js";
import { FakeSocket } from "./fake.js";
import { playPage, say } from "./page.js";

playClients();
playPage();

/** The longest that online lets a try wait. */
const soon = 1000;

describe("offline", () => {
  it("gives the socket up, and tries go on: browsers err", async () => {
    const b = await connected();
    const states: StateNotice[] = [];
    b.on("state", (s) => states.push(s));
    say.offline();
    expect(FakeSocket.last.closed).toBe(true);
    expect(states).toEqual([{ state: "disconnected", reason: "offline", retryIn: expect.any(Number) }]);
    await nextTry();
    expect(FakeSocket.all).toHaveLength(2);
    FakeSocket.last.accept();
    expect(FakeSocket.last.asked).toEqual([{ jobs: ["summary"] }]);
  });

  it("changes nothing while a try is awaited", async () => {
    const b = await connected();
    FakeSocket.last.end(1001, "retry_after_ms=30000");
    const states = vi.fn();
    b.on("state", states);
    say.offline();
    expect(states).not.toHaveBeenCalled();
  });
});

describe("online", () => {
  it("brings the next try forward, and says so", async () => {
    const b = await connected();
    for (let n = 0; n < 6; n++) { // until the ceiling of the back-off is high
      FakeSocket.last.end(1006);
      await nextTry();
    }
    const states: StateNotice[] = [];
    b.on("state", (s) => states.push(s));
    const random = vi.spyOn(Math, "random").mockReturnValue(1);
    FakeSocket.last.end(1006);
    random.mockReturnValue(0.5);
    say.online();
    expect(states.map((s) => [s.reason, s.retryIn])).toEqual([["", 20_000], ["online", 500]]);
    await vi.advanceTimersByTimeAsync(499);
    expect(FakeSocket.all).toHaveLength(7);
    await vi.advanceTimersByTimeAsync(1);
    expect(FakeSocket.all).toHaveLength(8);
  });

  it("does not override retry_after_ms", async () => {
    const b = await connected();
    FakeSocket.last.end(1001, "retry_after_ms=30000");
    await vi.advanceTimersByTimeAsync(10_000);
    say.online();
    await vi.advanceTimersByTimeAsync(19_999);
    expect(FakeSocket.all).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1 + soon);
    expect(FakeSocket.all).toHaveLength(2);
    expect(b.state).toBe("connecting");
  });

  it("does not put a try off", async () => {
    const b = await connected();
    const random = vi.spyOn(Math, "random").mockReturnValue(0);
    FakeSocket.last.end(1006);
    random.mockReturnValue(1);
    const states = vi.fn();
    b.on("state", states);
    say.online();
    expect(states).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(500);
    expect(FakeSocket.all).toHaveLength(2);
  });

  it("leaves a socket and a token on their way alone", async () => {
    await connected();
    say.online();
    await vi.advanceTimersByTimeAsync(soon);
    expect(FakeSocket.all).toHaveLength(1);

    let arrive!: (token: string) => void;
    const getToken = vi.fn(() => new Promise<string>((resolve) => { arrive = resolve; }));
    start({ getToken });
    await settle();
    say.online();
    await vi.advanceTimersByTimeAsync(soon);
    arrive("late");
    await settle();
    expect(getToken).toHaveBeenCalledOnce();
    expect(FakeSocket.last.url).toContain("token=late");
  });
});

it("a closed client hears neither", async () => {
  const b = await connected();
  b.close();
  const states = vi.fn();
  b.on("state", states);
  say.offline();
  say.online();
  await nextTry();
  expect(states).not.toHaveBeenCalled();
  expect(FakeSocket.all).toHaveLength(1);
  expect(tokens).toHaveLength(1);
});
