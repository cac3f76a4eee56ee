import { onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { Belfry } from "../src/index.js";
import type { BelfryOptions, DeniedNotice, GapNotice, SocketLike, StateNotice } from "../src/index.js";
import type { Gateway } from "./gateway.js";

/** How long a test waits for what other processes do. */
export const patience = { timeout: 20_000, interval: 20 };

/** A client of a real gateway, until the test is over, and what it was told. */
export function watch(gateway: Gateway, options: Partial<BelfryOptions> = {}) {
  const b = new Belfry(gateway.url, {
    getToken: () => "alice", WebSocket: WebSocket as unknown as new (url: string) => SocketLike, minDelay: 50, maxDelay: 500, ...options,
  });
  onTestFinished(() => { b.close(); });
  const seen = { texts: [] as string[], gaps: [] as GapNotice[], states: [] as StateNotice[], denied: [] as DeniedNotice[] };
  b.on("event", (e) => seen.texts.push(e.text));
  b.on("gap", (e) => seen.gaps.push(e));
  b.on("state", (e) => seen.states.push(e));
  b.on("denied", (e) => seen.denied.push(e));
  return { b, seen };
}
