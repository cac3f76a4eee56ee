/** What a client does after a close code. */
export interface CloseRule {
  reconnect: boolean;
  newToken: boolean;
  /** The client violated the protocol: it must not send its last message again. */
  mistake: boolean;
}

const mistakes = new Set([1002, 1003, 1007, 1009]);

/** The close codes of Belfry's client protocol. Tests compare them and the gateway's
 *  with the same table (pkg/protocol/testdata/close_codes.json). After an unknown
 *  code, such as 1006 for a lost connection, the client reconnects. */
export function closeRule(code: number): CloseRule {
  const mistake = mistakes.has(code);
  return { reconnect: !mistake && code !== 4403, newToken: code === 4401, mistake };
}

/** Returns the `retry_after_ms` in a close reason, or 0 if there is none. It is at
 *  most a day, because browsers fire timers over 24.8 days at once. */
export function retryAfter(reason: string): number {
  return Math.min(864e5, Number(/retry_after_ms\D{0,4}(\d+)/.exec(reason)?.[1] ?? 0));
}
