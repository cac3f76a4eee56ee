/** How long an answer may take, in milliseconds. */
const patience = 15_000;

/** What the API answered instead of a result. The status is 0 where it did not
 *  answer at all; the reason is a word for programs, where it gave one. */
export class ApiError extends Error {
  constructor(status, message, reason) {
    super(message);
    Object.assign(this, { status, reason });
  }

  /** Whether the same request may succeed later. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Calls the API: GET, or POST where a body is given, or another method. A
 *  signal that is aborted ends it; its promise is then rejected with an
 *  AbortError. */
export async function api(path, { body, method = body === undefined ? "GET" : "POST", signal } = {}) {
  const late = AbortSignal.timeout(patience);
  let status = 0;
  let text;
  try {
    const answer = await fetch(path, {
      method,
      signal: signal ? AbortSignal.any([signal, late]) : late,
      headers: { "Content-Type": "application/json", "X-Requested-With": "tower" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    text = await answer.text();
    status = answer.status;
  } catch (err) {
    if (signal?.aborted) throw err;
    throw new ApiError(0, late.aborted ? "the API does not answer" : "the API cannot be reached");
  }
  let result;
  try {
    result = text ? JSON.parse(text) : undefined;
  } catch {
    throw new ApiError(status >= 400 ? status : 502, `the API answered ${status} and no JSON`);
  }
  if (status >= 400) throw new ApiError(status, result?.error ?? `the API answered ${status}`, result?.reason);
  return result;
}
