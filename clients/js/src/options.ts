import type { BelfryOptions } from "./types.js";

/** A timer of a browser that is longer is over at once. Milliseconds. */
const longest = 2 ** 31;

/** Throws where these options cannot work. */
export function check(options: Omit<BelfryOptions, "itemOf">): void {
  if (typeof options?.getToken !== "function") throw new TypeError("the option getToken must be a function");
  for (const key of ["minDelay", "maxDelay", "timeout", "activityTimeout"] as const) {
    const value = options[key];
    if (value !== undefined && !(value > 0 && value < longest)) throw new RangeError(`the option ${key} must be milliseconds above 0`);
  }
}
