/** What a client does after a close code. */
export interface CloseRule { reconnect: boolean; newToken: boolean }

const never = new Set([1002, 1003, 1007, 1009, 4403]);

/** The table of close codes of Belfry's client protocol. A code that is not in
 *  it (1006: the connection was lost) is worth another try. */
export function closeRule(code: number): CloseRule {
  return { reconnect: !never.has(code), newToken: code === 4401 };
}

/** Reads `retry_after_ms` out of a close reason; 0 when there is none. */
export function retryAfter(reason: string): number {
  return Number(/retry_after_ms\D{0,4}(\d+)/.exec(reason)?.[1] ?? 0);
}
