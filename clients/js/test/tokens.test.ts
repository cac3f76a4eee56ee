// Which token a connection carries, and what cannot be one.
import { describe, expect, it, vi } from "vitest";
import type { ErrorNotice } from "../src/index.js";
import { connected, nextTry, playClients, settle, start, tokens } from "./client.js";
import { FakeSocket } from "./fake.js";

playClients();

const carried = () => FakeSocket.all.map((s) => new URL(s.url).searchParams.get("token"));

/** A getToken whose answers the test gives, in any order. */
function slowly() {
  const answers: ((token: string) => void)[] = [];
  return { answers, getToken: () => new Promise<string>((resolve) => { answers.push(resolve); }) };
}

describe("the former user's token", () => {
  it("does not outlive close", async () => {
    const b = await connected();
    b.close();
    b.connect();
    await settle();
    expect(carried()).toEqual(["t1", "t2"]);
  });

  it.each([4403, 1009])("does not outlive a close with %i", async (code) => {
    const b = await connected();
    FakeSocket.last.end(code);
    b.connect();
    await settle();
    expect(carried()).toEqual(["t1", "t2"]);
  });

  it("that arrives late is dropped: after close", async () => {
    const { answers, getToken } = slowly();
    const b = start({ getToken });
    await settle();
    b.close();
    b.connect();
    await settle();
    answers[1]!("bob");
    await settle();
    answers[0]!("alice");
    await settle();
    FakeSocket.last.end(1006);
    await nextTry();
    expect(carried()).toEqual(["bob", "bob"]);
  });

  it("that arrives late is dropped: it opens nothing, and is not kept for later", async () => {
    const { answers, getToken } = slowly();
    const b = start({ getToken });
    await settle();
    b.close();
    answers[0]!("alice");
    await settle();
    expect(FakeSocket.all).toEqual([]);
    b.connect();
    await settle();
    answers[1]!("bob");
    await settle();
    expect(carried()).toEqual(["bob"]);
  });

  it("that arrives late is dropped: after its time was over", async () => {
    const { answers, getToken } = slowly();
    start({ getToken, timeout: 1000 });
    await vi.advanceTimersByTimeAsync(1000);
    answers[0]!("late");
    await nextTry();
    await settle();
    expect(carried()).toEqual([]);
    answers[1]!("fresh");
    await settle();
    expect(carried()).toEqual(["fresh"]);
  });

  it("is not asked for where a listener closes the client first", async () => {
    const getToken = vi.fn(() => "t");
    const b = start({ getToken });
    b.on("state", ({ state }) => { if (state === "connecting") b.close(); });
    await settle();
    expect(getToken).not.toHaveBeenCalled();
  });
});

describe("what can be no token", () => {
  const html = "<!doctype html>\n<title>Log in</title>";

  it.each([
    ["token_empty", ""], ["token_empty", undefined], ["token_empty", null],
    ["token_form", "two words"], ["token_form", "line\n"], ["token_form", html], ["token_form", "tökén"], ["token_form", "x".repeat(8193)],
    ["token_form", { token: "t" }], ["token_form", 7], ["token_form", NaN],
  ])("is told (%s), opens no socket, and is asked for again: %j", async (kind, bad) => {
    const errors: ErrorNotice[] = [];
    const getToken = vi.fn().mockReturnValueOnce(bad).mockReturnValueOnce(Promise.resolve(bad)).mockReturnValue("good");
    const b = start({ getToken });
    b.on("error", (e) => errors.push(e));
    await settle();
    expect(b.state).toBe("disconnected");
    await nextTry();
    await nextTry();
    expect(errors.map((e) => e.kind)).toEqual([kind, kind]);
    if (typeof bad === "string" && bad) for (const { message } of errors) expect(message).not.toContain(bad);
    expect(carried()).toEqual(["good"]);
  });

  it("is not taken for a token: the longest, with every character that may be in one", async () => {
    const all = Array.from({ length: 94 }, (_, n) => String.fromCharCode(33 + n)).join("");
    start({ getToken: () => all.padEnd(8192, "x") });
    await settle();
    expect(carried()).toEqual([all.padEnd(8192, "x")]);
  });

  it("a getToken that throws, at once or later, is told with its cause", async () => {
    const cause = new Error("api away");
    const errors: ErrorNotice[] = [];
    const b = start({ getToken: vi.fn().mockImplementationOnce(() => { throw cause; }).mockRejectedValueOnce(cause).mockReturnValue("good") });
    b.on("error", (e) => errors.push(e));
    await settle();
    for (let n = 0; n < 2; n++) await nextTry();
    expect(errors).toEqual(Array(2).fill({ kind: "token_failed", message: "getToken failed", cause }));
    expect(carried()).toEqual(["good"]);
  });
});

describe("a token that the server does not take", () => {
  it("is told as refused, and another is asked for", async () => {
    const errors: string[] = [];
    const b = start();
    b.on("error", (e) => errors.push(e.kind));
    await settle();
    FakeSocket.last.frame('{"accept": false, "user": null}');
    FakeSocket.last.end(4401, "token refused or expired");
    await nextTry();
    expect(errors).toEqual(["token_refused"]);
    expect(carried()).toEqual(["t1", "t2"]);
  });

  it("is no error where it has only expired", async () => {
    const b = await connected();
    const errors = vi.fn();
    b.on("error", errors);
    FakeSocket.last.end(4401, "token refused or expired");
    await nextTry();
    expect(errors).not.toHaveBeenCalled();
  });

  it("is replaced after three handshakes in a row that failed: a browser does not show an HTTP status", async () => {
    start();
    await settle();
    for (let n = 0; n < 6; n++) {
      FakeSocket.last.end(1006);
      await nextTry();
    }
    expect(carried()).toEqual(["t1", "t1", "t1", "t2", "t2", "t2", "t3"]);
  });

  it("is kept where the connection was lost that it had opened", async () => {
    await connected();
    for (let n = 0; n < 4; n++) {
      FakeSocket.last.end(1006);
      await nextTry();
      FakeSocket.last.accept();
    }
    expect(carried()).toEqual(Array(5).fill("t1"));
  });

  it.each([["refuses it", () => { FakeSocket.last.end(4401); }], ["lets it expire at once", () => {
    FakeSocket.last.accept();
    FakeSocket.last.answer();
    FakeSocket.last.end(4401);
  }]])("asks for few in 20 s where the server %s", async (_, play) => {
    start();
    for (let ms = 0; ms < 20_000; ms += 50) {
      await vi.advanceTimersByTimeAsync(50);
      if (FakeSocket.all.length > 0 && !FakeSocket.last.closed) play();
    }
    expect(tokens.length).toBeGreaterThan(1);
    expect(tokens.length).toBeLessThanOrEqual(10);
  });
});
