/** An item of a group: `42` and `"42"` name the same group. */
export type Item = string | number;

/** What to watch: `{jobs: ["status_changed"], job_events: [42]}`. */
export type Groups = Record<string, readonly Item[]>;

/** connecting: a socket is being opened, or its groups are not active yet.
 *  connected: events flow. disconnected: waiting to try again, or closed for good. */
export type State = "connecting" | "connected" | "disconnected";

export interface StateNotice {
  state: State;
  /** The websocket close code that led here, if one did. */
  code?: number;
  reason?: string;
  /** Milliseconds until the next try; absent when there will be none by itself. */
  retryIn?: number;
}

export interface EventNotice<P = Record<string, unknown>> {
  /** The payload's `group_name`, or "" if it has none. */
  name: string;
  payload: P;
  /** The payload byte for byte as the backend emitted it. */
  text: string;
}

export interface GapNotice {
  /** The groups of which events may have been missed: load them from your API. */
  groups: string[];
  /** "server": Belfry said so. "reconnect": the socket was away in between. */
  cause: "server" | "reconnect";
}

export interface DeniedNotice { name: string; item: string; message: string }

export interface ErrorNotice { message: string; cause?: unknown }

export interface BelfryEvents {
  event: EventNotice;
  state: StateNotice;
  gap: GapNotice;
  denied: DeniedNotice;
  error: ErrorNotice;
}

export interface GroupsResult { current: string[]; joined: string[]; left: string[]; denied: string[] }

export interface Subscription { unsubscribe(): void }

/** The part of the WebSocket interface that the client uses. */
export interface SocketLike {
  onopen: ((e: any) => void) | null;
  onmessage: ((e: any) => void) | null;
  onclose: ((e: any) => void) | null;
  onerror: ((e: any) => void) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

export interface BelfryOptions {
  /** Returns the auth token. Called before the first connection, and again after
   *  the server refused or expired the last one. */
  getToken: () => string | Promise<string>;
  /** A WebSocket constructor, for runtimes that have none of their own. */
  WebSocket?: new (url: string) => SocketLike;
  /** Back-off bounds in milliseconds. Default 500 and 20,000. */
  minDelay?: number;
  maxDelay?: number;
  /** Says which item an event belongs to, for iterators of one item. The default
   *  knows Tower's families (`job_events` -> `job`, ...). */
  itemOf?: (name: string, payload: Record<string, unknown>) => Item | undefined;
}
