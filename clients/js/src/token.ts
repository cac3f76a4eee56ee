import type { ErrorNotice } from "./types.js";

/** The longest token that a gateway accepts, in bytes. */
const longest = 8192;

/** Returns why the value cannot be a token, or undefined. The server would refuse such a
 *  request with an HTTP status, which a page's script cannot see. */
export function tokenFault(token: unknown): ErrorNotice | undefined {
  if (token === "" || token == null) return { kind: "token_empty", message: "getToken returned no token" };
  if (typeof token === "string" && token.length <= longest && /^[!-~]+$/.test(token)) return undefined;
  return { kind: "token_form", message: "getToken returned something that is not a token (an error page?)" };
}
