/** What a client does after a close code. */
export interface CloseRule {
  reconnect: boolean;
  newToken: boolean;
  /** The client broke the protocol: what it sent last must not be sent again. */
  mistake: boolean;
}

const mistakes = new Set([1002, 1003, 1007, 1009]);

/** The table of close codes of Belfry's client protocol, which Go's is checked
 *  against too (pkg/protocol/testdata/close_codes.json). A code that is not in
 *  it (1006: the connection was lost) is worth another try. */
export function closeRule(code: number): CloseRule {
  const mistake = mistakes.has(code);
  return { reconnect: !mistake && code !== 4403, newToken: code === 4401, mistake };
}

/** Reads `retry_after_ms` out of a close reason; 0 when there is none. At most a
 *  day: a longer timer of a browser would be over at once. */
export function retryAfter(reason: string): number {
  return Math.min(864e5, Number(/retry_after_ms\D{0,4}(\d+)/.exec(reason)?.[1] ?? 0));
}
