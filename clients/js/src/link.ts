import { socketAddress } from "./address.js";
import { Backoff } from "./backoff.js";
import { closeRule, retryAfter } from "./close.js";
import { Deadline } from "./deadline.js";
import { accepts } from "./frames.js";
import { listen } from "./page.js";
import { tokenFault } from "./token.js";
import type { BelfryOptions, ErrorNotice, SocketLike, StateNotice } from "./types.js";

/** How long a connection must have lived until the back-off starts anew. A
 *  server that accepts, answers and closes is not well. Milliseconds. */
const stableAfter = 10_000;

/** How many times the time-out an answer may wait behind other frames. */
const patience = 4;

/** After so many handshakes in a row that failed with a token, another is asked
 *  for: a browser does not say whether the token was the reason. */
const triesWithToken = 3;

/** Whom the link tells. */
export interface LinkUser {
  connecting(): void;
  /** The server has let the connection in. */
  accepted(): void;
  text(text: string): void;
  /** Nothing has come for a while: send something that is answered. */
  silent(): void;
  /** The connection is lost; the notice says when the next try is. */
  lost(notice: StateNotice): void;
  /** There will be no other try by itself. */
  stopped(notice: StateNotice): void;
  error(notice: ErrorNotice): void;
}

/** One websocket that is kept open: token, back-off, a bound on every wait, and
 *  the browser's word on page and network. It knows nothing about groups. */
export class Link {
  private readonly address: string;
  private readonly backoff: Backoff;
  private readonly wait = new Deadline(); // for a token, acceptance, an answer, or any frame
  private readonly timeout: number;
  private readonly quiet: number; // silence that is worth a question
  private socket: SocketLike | undefined;
  private token: string | undefined;
  private failed = 0; // handshakes in a row, with this token
  private deaf: (() => void) | undefined; // stops listening to the page; there while running
  private opened = false;
  private acceptedAt: number | undefined;
  private awaiting = false; // an answer
  private attempt = 0; // tells an outdated socket or token apart
  private timer: ReturnType<typeof setTimeout> | undefined; // runs until the next try
  private due = 0; // when that is; as performance.now(), which no clock change moves
  private notBefore = 0; // the server asked for no try before that

  constructor(
    url: string, private readonly options: Omit<BelfryOptions, "itemOf">, private readonly user: LinkUser,
  ) {
    this.address = socketAddress(url);
    this.backoff = new Backoff(options);
    this.timeout = options.timeout ?? 12_000;
    // Drawn, so that clients that heard the same event do not ask all at once.
    this.quiet = (options.activityTimeout ?? 30_000) * (1 + Math.random() / 4);
  }

  get stopped(): boolean { return !this.deaf; }

  /** Opens the connection in a microtask, so that listeners can be attached. */
  start(): void {
    if (this.deaf) return;
    this.deaf = listen({
      online: () => this.look("online"), offline: () => this.offline(), visible: () => this.look("visible"),
      resumed: () => {
        this.wait.renew(this.timeout); // what came meanwhile is not read yet
        this.look("visible");
      },
    });
    const attempt = ++this.attempt;
    queueMicrotask(() => { if (attempt === this.attempt) void this.open(); });
  }

  stop(notice: StateNotice): void {
    if (!this.deaf) return;
    this.deaf();
    this.deaf = this.token = undefined; // who connects next may be somebody else
    this.abandon();
    this.user.stopped(notice);
  }

  /** Sends a message that is answered. */
  send(text: string): void {
    this.awaiting = true;
    this.expect("an answer");
    this.socket?.send(text);
  }

  /** The answer has come. */
  answered(): void {
    this.awaiting = false;
    this.wait.set(this.quiet, () => this.user.silent());
  }

  /** Ends the try or the connection when nothing comes of it. What comes instead
   *  puts the end off, for a while: on a slow link an answer waits behind events. */
  private expect(what: string): void {
    const message = `${what} did not come within ${this.timeout} ms`;
    this.wait.set(this.timeout, () => this.fail({ kind: "timeout", message }), patience * this.timeout);
  }

  /** The next try may come sooner: a network is there, or somebody looks. */
  private hurry(reason: string): void {
    if (this.timer === undefined) return;
    const now = performance.now();
    const due = Math.max(now, this.notBefore) + Math.random() * 1000;
    if (due < this.due) this.retry({ state: "disconnected", reason }, Math.round(due - now));
  }

  /** No network is there. Browsers err, so tries go on. */
  private offline(): void {
    if (this.socket) this.lose({ state: "disconnected", reason: "offline" }, 0);
  }

  /** A page that was away, or has another network, may have a dead socket: finds
   *  out. */
  private look(reason: string): void {
    this.hurry(reason);
    if (this.acceptedAt !== undefined && !this.awaiting) this.user.silent();
  }

  private async open(): Promise<void> {
    const attempt = ++this.attempt;
    this.user.connecting();
    if (attempt !== this.attempt) return;
    const Socket = this.options.WebSocket ?? globalThis.WebSocket as (new (url: string) => SocketLike) | undefined;
    if (!Socket) {
      this.giveUp("no WebSocket here: pass the option WebSocket, or connect in the browser only");
      return;
    }
    if (this.token === undefined) {
      this.expect("the token of getToken");
      let token: unknown;
      let fault: ErrorNotice | undefined;
      try {
        token = await this.options.getToken();
        fault = tokenFault(token);
      } catch (cause) {
        fault = { kind: "token_failed", message: "getToken failed", cause };
      }
      if (attempt !== this.attempt) return;
      if (fault) {
        this.fail(fault);
        return;
      }
      this.token = token as string;
    }
    this.connect(Socket, attempt);
  }

  private connect(Socket: new (url: string) => SocketLike, attempt: number): void {
    const separator = this.address.includes("?") ? "&" : "?";
    let socket: SocketLike;
    try {
      socket = new Socket(`${this.address}${separator}token=${encodeURIComponent(this.token!)}`);
    } catch (err) { // its message may have the address in it, and so the token
      this.giveUp(`the socket was refused (${(err as Error).name}): pages of https:// need wss://`);
      return;
    }
    this.socket = socket;
    this.expect("the server's acceptance");
    const current = <E>(handle: (e: E) => void) => (e: E) => { if (attempt === this.attempt) handle(e); };
    const closed = current((e: { code: number; reason?: string }) => this.closed(e.code, e.reason ?? ""));
    socket.onopen = current(() => { this.opened = true; });
    socket.onmessage = current((e: { data: unknown }) => this.receive(String(e.data)));
    socket.onclose = closed;
    // A close follows at once; not where the page's policy forbids the socket.
    socket.onerror = () => { setTimeout(closed, 1000, { code: 1006 }); };
  }

  private receive(text: string): void {
    if (this.acceptedAt !== undefined) {
      this.wait.putOff(this.awaiting ? this.timeout : this.quiet);
      this.user.text(text);
    } else if (accepts(text)) { // otherwise a close with 4401 follows
      this.acceptedAt = performance.now();
      this.failed = 0;
      this.user.accepted();
    }
  }

  private closed(code: number, reason: string): void {
    const rule = closeRule(code);
    const notice: StateNotice = { state: "disconnected", code, reason };
    if (rule.newToken) this.token = undefined;
    if (this.acceptedAt === undefined) {
      const { attempt } = this;
      if (rule.newToken) {
        this.user.error({ kind: "token_refused", message: "the server refused the token" });
      } else if (!this.opened) {
        if (++this.failed % triesWithToken === 0) this.token = undefined;
        const message = "no connection: the server is away or refuses this origin, or Content-Security-Policy forbids it";
        this.user.error({ kind: "handshake_failed", message });
      }
      if (attempt !== this.attempt) return;
    }
    if (rule.reconnect) this.lose(notice, retryAfter(reason));
    else this.stop(notice);
  }

  /** Tells why the try or the connection came to nothing, and tries again. */
  private fail(fault: ErrorNotice): void {
    const { attempt } = this;
    this.user.error(fault);
    if (attempt === this.attempt) this.lose({ state: "disconnected", reason: fault.kind }, 0);
  }

  /** Tells what no other try can mend. */
  private giveUp(message: string): void {
    const { attempt } = this;
    this.user.error({ kind: "no_socket", message });
    if (attempt === this.attempt) this.stop({ state: "disconnected", reason: message });
  }

  private lose(notice: StateNotice, atLeast: number): void {
    const now = performance.now();
    if (now - (this.acceptedAt ?? now) >= stableAfter) this.backoff.reset();
    this.abandon();
    this.notBefore = now + atLeast;
    this.retry(notice, atLeast + this.backoff.next());
  }

  private retry(notice: StateNotice, retryIn: number): void {
    clearTimeout(this.timer);
    this.due = performance.now() + retryIn;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.open();
    }, retryIn);
    this.user.lost({ ...notice, retryIn });
  }

  /** Forgets the socket, the try and the timers. */
  private abandon(): void {
    clearTimeout(this.timer);
    this.wait.clear();
    this.timer = this.acceptedAt = undefined;
    this.attempt++;
    this.opened = this.awaiting = false;
    const socket = this.socket;
    this.socket = undefined;
    socket?.close();
  }
}
