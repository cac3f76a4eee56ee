/** A message from the gateway itself on an accepted connection. */
export type ServerMessage =
  | { kind: "groups"; current: string[]; left: string[]; joined: string[] }
  | { kind: "denied"; name: string; item: string; message: string }
  | { kind: "refused"; message: string }
  | { kind: "gap"; groups: string[] };

const deniedText = /^access denied to channel ([^-]+?) for resource id ([^]+)$/;

/** Decodes a message of the gateway from a frame's JSON; undefined if it is an event.
 *
 *  Events have no envelope and may be any JSON. So a frame is taken for a message only
 *  if it has exactly the message's keys, and for an answer only if one is awaited. */
export function readMessage(json: unknown, awaited: boolean): ServerMessage | undefined {
  const frame = Object(json) as Record<string, unknown>; // null and plain values have no keys
  const { groups_current: current, groups_left: left, groups_joined: joined, error: message, gap } = frame;
  const keys = (count: number) => Object.keys(frame).length === count;
  if (isList(gap) && keys(1)) return { kind: "gap", groups: gap };
  if (!awaited) return undefined;
  if (isList(current) && isList(left) && isList(joined) && keys(3)) return { kind: "groups", current, left, joined };
  if (typeof message !== "string" || !keys(1)) return undefined;
  const [, name, item] = deniedText.exec(message) ?? [];
  return name && item ? { kind: "denied", name, item, message } : { kind: "refused", message };
}

/** Returns the payload's `group_name`, if it has one. */
export function groupName(payload: unknown): string | undefined {
  const name = (Object(payload) as Record<string, unknown>)["group_name"];
  return typeof name === "string" ? name : undefined;
}

/** Whether a connection's first frame accepts the connection. */
export function accepts(text: string): boolean {
  try {
    return (Object(JSON.parse(text)) as Record<string, unknown>)["accept"] === true;
  } catch {
    return false;
  }
}

function isList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
