import type { TowerPayloads } from "./towers.js";

/** An item of a group: `42` and `"42"` name the same group. */
export type Item = string | number;

/** The names that a table of payload types knows. */
export type Name<P extends object> = keyof P & string;

/** What to watch: `{jobs: ["status_changed"], job_events: [42]}`. */
export type Groups<P extends object = TowerPayloads> = { readonly [N in Name<P>]?: readonly Item[] };

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

/** One event. What a payload is must be known from its name: types say what
 *  backends emit, and nothing is checked when it arrives. */
export interface Notice<N, T> {
  /** The payload's `group_name`. */
  name: N;
  payload: T;
  /** The payload byte for byte as the backend emitted it. */
  text: string;
}

/** The event of a name, or of any name of the table: then `name` tells the
 *  payload's type. */
export type EventNotice<P extends object = TowerPayloads, N extends Name<P> = Name<P>> = {
  [K in N]: Notice<K, P[K]>;
}[N];

/** An event without a `group_name` that is text. Any JSON may be one: null, a
 *  number, a text, a list. */
export type UnnamedNotice = Notice<undefined, unknown>;

/** The events of one group, for a `for await` loop. */
export interface EventIterator<E> {
  next(): Promise<IteratorResult<E, undefined>>;
  return(): Promise<IteratorResult<E, undefined>>;
  [Symbol.asyncIterator](): EventIterator<E>;
}

export interface GapNotice {
  /** The groups of which events may have been missed: load them from your API. */
  groups: string[];
  /** "server": Belfry said so. "reconnect": the socket was away in between. */
  cause: "server" | "reconnect";
}

export interface DeniedNotice { name: string; item: string; message: string }

export interface ErrorNotice { message: string; cause?: unknown }

export interface BelfryEvents<P extends object = TowerPayloads> {
  event: EventNotice<P> | UnnamedNotice;
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

export interface BelfryOptions<P extends object = TowerPayloads> {
  /** Returns the auth token. Called before the first connection, and again after
   *  the server refused or expired the last one. */
  getToken: () => string | Promise<string>;
  /** A WebSocket constructor, for runtimes that have none of their own. */
  WebSocket?: new (url: string) => SocketLike;
  /** Back-off bounds in milliseconds. Default 500 and 20,000. */
  minDelay?: number;
  maxDelay?: number;
  /** Says which item of its name an event belongs to, for iterators; undefined
   *  where its payload does not tell: every iterator of the name gets it then.
   *  The default knows Tower's families (`job_events`: `job`, ...). */
  itemOf?: (event: EventNotice<P>) => Item | undefined;
}
