import { afterEach, beforeEach, vi } from "vitest";
import { Belfry } from "../src/index.js";
import type { BelfryOptions } from "../src/index.js";
import { FakeSocket } from "./fake.js";

/** Any group, any payload. */
export type Anything = Record<string, unknown>;

/** The tokens that were fetched in this test. */
export const tokens: string[] = [];

const open: Belfry<Anything>[] = [];

/** Gives each test of a file a clock of its own, and closes what it opened. */
export function playClients(): void {
  beforeEach(() => {
    vi.useFakeTimers();
    FakeSocket.all = [];
    tokens.length = 0;
  });
  afterEach(() => {
    for (const b of open.splice(0)) b.close();
    vi.useRealTimers();
  });
}

export function fetchToken(): string {
  tokens.push(`t${tokens.length + 1}`);
  return tokens.at(-1)!;
}

export function closeAfter<B extends Belfry<Anything>>(b: B): B {
  open.push(b);
  return b;
}

/** A client whose socket is FakeSocket.last once settle is over. */
export function start(options: Partial<BelfryOptions<Anything>> = {}): Belfry<Anything> {
  return closeAfter(new Belfry<Anything>("ws://gateway/websocket", { getToken: fetchToken, WebSocket: FakeSocket, ...options }));
}

/** A client that is let in, without groups. */
export async function accepted(options: Partial<BelfryOptions<Anything>> = {}): Promise<Belfry<Anything>> {
  const b = start(options);
  await settle();
  FakeSocket.last.accept();
  FakeSocket.last.answer();
  return b;
}

/** A client that watches jobs-summary. */
export async function connected(options: Partial<BelfryOptions<Anything>> = {}): Promise<Belfry<Anything>> {
  const b = start(options);
  void b.setGroups({ jobs: ["summary"] });
  await settle();
  FakeSocket.last.accept();
  FakeSocket.last.answer(["jobs-summary"]);
  return b;
}

/** Lets promises and timers of no delay happen. */
export const settle = () => vi.advanceTimersByTimeAsync(0);

/** Lets a message go, however soon it comes after the one before. */
export const paced = () => vi.advanceTimersByTimeAsync(125);

/** Lets the next timer end, where only that of the next try runs. */
export const nextTry = () => vi.advanceTimersToNextTimerAsync();

/** Lets as much time pass as a connection must live to be called well. */
export const lived = () => vi.advanceTimersByTimeAsync(10_000);
