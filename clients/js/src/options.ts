import type { BelfryOptions } from "./types.js";

/** Browsers fire a timer of this many milliseconds or more at once. */
const longest = 2 ** 31;

/** Throws if the options are invalid. */
export function check(options: Omit<BelfryOptions, "itemOf">): void {
  if (typeof options?.getToken !== "function") throw new TypeError("the option getToken must be a function");
  for (const key of ["minDelay", "maxDelay", "timeout", "activityTimeout"] as const) {
    const value = options[key];
    if (value !== undefined && !(value > 0 && value < longest)) throw new RangeError(`the option ${key} must be a number of milliseconds above 0`);
  }
}
