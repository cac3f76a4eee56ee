/** An item of a group: `42` and `"42"` name the same group. */
export type Item = string | number;
