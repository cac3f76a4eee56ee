/** What a client does after a close code. */
export interface CloseRule {
  reconnect: boolean;
  newToken: boolean;
  /** The client broke the protocol: what it sent last must not be sent again. */
  mistake: boolean;
}

const mistakes = new Set([1002, 1003, 1007, 1009]);

/** The table of close codes of Belfry's client protocol. A code that is not in
 *  it (1006: the connection was lost) is worth another try. */
export function closeRule(code: number): CloseRule {
  const mistake = mistakes.has(code);
  return { reconnect: !mistake && code !== 4403, newToken: code === 4401, mistake };
}

/** Reads `retry_after_ms` out of a close reason; 0 when there is none. */
export function retryAfter(reason: string): number {
  return Number(/retry_after_ms\D{0,4}(\d+)/.exec(reason)?.[1] ?? 0);
}
