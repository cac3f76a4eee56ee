import type { ErrorNotice } from "./types.js";

/** The longest token that a gateway reads, in bytes. */
const longest = 8192;

/** Why this can be no token, or undefined. The server refuses such a request
 *  with an HTTP status, which a browser does not show. */
export function tokenFault(token: unknown): ErrorNotice | undefined {
  if (token === "" || token == null) return { kind: "token_empty", message: "getToken returned no token" };
  if (typeof token === "string" && token.length <= longest && /^[!-~]+$/.test(token)) return undefined;
  return { kind: "token_form", message: "getToken returned what is no token (an error page?)" };
}
