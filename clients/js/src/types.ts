import type { Item } from "./item.js";
import type { TowerPayloads } from "./towers.js";

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
  /** The server's words, the kind of an error notice, or what the browser said:
   *  "offline", "online", "visible". */
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

/** What went wrong.
 *
 *  - `token_failed`: getToken threw, or its promise was rejected (`cause`).
 *  - `token_empty`, `token_form`: it returned nothing, or what no token can be.
 *  - `token_refused`: the server does not take the token.
 *  - `handshake_failed`: no socket came about. A browser does not say whether
 *    the server is away or refuses this origin, nor whether the page's policy
 *    (Content-Security-Policy, connect-src) forbids it.
 *  - `timeout`: a token, the server's acceptance or an answer did not come.
 *  - `no_socket`: this runtime cannot open the socket; it is not tried again.
 *  - `groups_invalid`: the server calls a set of groups invalid; it is forgotten.
 *  - `event_form`: an event is not JSON. */
export type ErrorKind =
  | "token_failed" | "token_empty" | "token_form" | "token_refused" | "handshake_failed" | "timeout" | "no_socket"
  | "groups_invalid" | "event_form";

export interface ErrorNotice { kind: ErrorKind; message: string; cause?: unknown }

export interface BelfryEvents<P extends object = TowerPayloads> {
  event: EventNotice<P> | UnnamedNotice;
  state: StateNotice;
  gap: GapNotice;
  denied: DeniedNotice;
  error: ErrorNotice;
}

export interface GroupsResult { current: string[]; joined: string[]; left: string[]; denied: string[] }

export interface Subscription {
  /** Resolves when the group is active: every event that is emitted from then on
   *  arrives. Rejects where the group is denied or not valid, when the client is
   *  closed, and by unsubscribe. */
  readonly active: Promise<void>;
  /** Leaves the group, unless somebody else watches it. May be called twice. */
  unsubscribe(): void;
}

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
  /** Returns the auth token. Called before the first connection, after close(),
   *  after the server refused or expired the last one, and after three handshakes
   *  in a row that failed. */
  getToken: () => string | Promise<string>;
  /** A WebSocket constructor, for runtimes that have none of their own. */
  WebSocket?: new (url: string) => SocketLike;
  /** Back-off bounds in milliseconds. Default 500 and 20,000. */
  minDelay?: number;
  maxDelay?: number;
  /** How long to wait for a token, for the server's acceptance, and for each of
   *  its answers, before it is tried anew. Milliseconds, default 12,000. */
  timeout?: number;
  /** After how much silence the server is asked for a sign of life, in
   *  milliseconds; up to a quarter is added by chance. Default 30,000. */
  activityTimeout?: number;
  /** Says which item of its name an event belongs to, for iterators; undefined
   *  where its payload does not tell: every iterator of the name gets it then.
   *  The default knows Tower's families (`job_events`: `job`, ...). */
  itemOf?: (event: EventNotice<P>) => Item | undefined;
}
