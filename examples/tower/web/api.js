/** What the API answered instead of a result. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Calls the API: GET, or POST where a body is given. */
export async function api(path, body) {
  const answer = await fetch(path, body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Requested-With": "tower" },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  let result;
  try {
    result = text ? JSON.parse(text) : undefined;
  } catch {
    throw new ApiError(answer.status, `the API answered ${answer.status}`);
  }
  if (!answer.ok) throw new ApiError(answer.status, result?.error ?? `the API answered ${answer.status}`);
  return result;
}
