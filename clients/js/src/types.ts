import type { Item } from "./item.js";
import type { TowerPayloads } from "./towers.js";

/** The group names in a map of payload types. */
export type Name<P extends object> = keyof P & string;

/** The groups to watch: `{jobs: ["status_changed"], job_events: [42]}`. */
export type Groups<P extends object = TowerPayloads> = { readonly [N in Name<P>]?: readonly Item[] };

/** connecting: a socket is being opened, or its groups are not active yet.
 *  connected: events flow. disconnected: waiting to try again, or closed for good. */
export type State = "connecting" | "connected" | "disconnected";

export interface StateNotice {
  state: State;
  /** The websocket close code that led here, if one did. */
  code?: number;
  /** The server's close reason, the kind of an error notice, or the browser's event:
   *  "offline", "online", "visible". */
  reason?: string;
  /** Milliseconds until the next try; absent if the client will not try by itself. */
  retryIn?: number;
}

/** One event. The payload's type follows from the name, as the map of payload types
 *  says; the payload is not checked when it arrives. */
export interface Notice<N, T> {
  /** The payload's `group_name`. */
  name: N;
  payload: T;
  /** The payload byte for byte as the backend emitted it. */
  text: string;
}

/** An event of one name or, by default, of any name in the map; then `name` determines
 *  the payload's type. */
export type EventNotice<P extends object = TowerPayloads, N extends Name<P> = Name<P>> = {
  [K in N]: Notice<K, P[K]>;
}[N];

/** An event whose payload has no string `group_name`. It may be any JSON: null, a number,
 *  a string, a list. */
export type UnnamedNotice = Notice<undefined, unknown>;

/** The events of one group, for a `for await` loop. */
export interface EventIterator<E> {
  next(): Promise<IteratorResult<E, undefined>>;
  return(): Promise<IteratorResult<E, undefined>>;
  [Symbol.asyncIterator](): EventIterator<E>;
}

export interface GapNotice {
  /** The groups of which events may be missing: load their state from your API. */
  groups: string[];
  /** "server": Belfry reported it. "reconnect": the connection was interrupted. */
  cause: "server" | "reconnect";
}

export interface DeniedNotice { name: string; item: string; message: string }

/** What went wrong.
 *
 *  - `token_failed`: getToken threw, or its promise was rejected (`cause`).
 *  - `token_empty`, `token_form`: it returned nothing, or something that cannot be a
 *    token.
 *  - `token_refused`: the server refused the token.
 *  - `handshake_failed`: the socket could not be opened. A browser does not say whether
 *    the server is unreachable or refuses this origin, nor whether the page's policy
 *    (Content-Security-Policy, connect-src) forbids it.
 *  - `timeout`: a token, the server's acceptance or an answer did not arrive in time.
 *  - `no_socket`: this runtime cannot open the socket; the client stops.
 *  - `groups_invalid`: the server refused a set of groups as invalid; it was dropped.
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
   *  arrives. Rejects if the group is denied or invalid, if the client is closed, and
   *  on unsubscribe. */
  readonly active: Promise<void>;
  /** Leaves the group, unless another subscription or setGroups includes it. A second
   *  call does nothing. */
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
  /** Returns the auth token. Called before the first connection, after close(), after the
   *  server refused the last token or it expired, and after three failed handshakes in a
   *  row. */
  getToken: () => string | Promise<string>;
  /** A WebSocket constructor, for runtimes that have none. */
  WebSocket?: new (url: string) => SocketLike;
  /** Back-off bounds in milliseconds. Default 500 and 20,000. */
  minDelay?: number;
  maxDelay?: number;
  /** How long to wait for a token, for the server's acceptance, and for each of its
   *  answers before trying again. Milliseconds, default 12,000. */
  timeout?: number;
  /** After how much silence the client sends a message to see whether the server
   *  answers, in milliseconds; up to a quarter is added at random. Default 30,000. */
  activityTimeout?: number;
  /** Returns the item that an event belongs to, for iterators and handlers of subscribe;
   *  undefined if the payload does not say it: then all of the event's name get it. The
   *  default knows Tower's payloads (`job_events`: `job`, ...). */
  itemOf?: (event: EventNotice<P>) => Item | undefined;
}
