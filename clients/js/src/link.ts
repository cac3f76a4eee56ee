import { socketAddress } from "./address.js";
import { Backoff } from "./backoff.js";
import { closeRule, retryAfter } from "./close.js";
import { Deadline } from "./deadline.js";
import { accepts } from "./frames.js";
import { listen } from "./page.js";
import { tokenFault } from "./token.js";
import type { BelfryOptions, ErrorNotice, SocketLike, StateNotice } from "./types.js";

/** How long a connection must have lasted, in milliseconds, before the back-off is
 *  reset. A server that accepts and soon closes connections is not healthy. */
const stableAfter = 10_000;

/** While other frames arrive, an answer may take this many times the time-out. */
const patience = 4;

/** After this many failed handshakes in a row with the same token, a new one is
 *  requested, because a browser does not say whether the token was the reason. */
const triesWithToken = 3;

/** What the link reports. */
export interface LinkUser {
  connecting(): void;
  /** The server has accepted the connection. */
  accepted(): void;
  text(text: string): void;
  /** Nothing was received for a while: send a message that the server answers. */
  silent(): void;
  /** The connection is lost; the notice says when the next try is. */
  lost(notice: StateNotice): void;
  /** The link has stopped and will not try again by itself. */
  stopped(notice: StateNotice): void;
  error(notice: ErrorNotice): void;
}

/** Keeps one websocket open: it gets tokens, backs off, limits every wait, and reacts to
 *  the browser's events about the page and the network. It knows nothing about groups. */
export class Link {
  private readonly address: string;
  private readonly backoff: Backoff;
  private readonly wait = new Deadline(); // for a token, acceptance, an answer, or any frame
  private readonly timeout: number;
  private readonly quiet: number; // after this much silence the server is asked to answer
  private socket: SocketLike | undefined;
  private token: string | undefined;
  private failed = 0; // failed handshakes in a row with this token
  private unlisten: (() => void) | undefined; // stops listening to page events; undefined while stopped
  private opened = false;
  private acceptedAt: number | undefined;
  private awaiting = false; // an answer is awaited
  private attempt = 0; // distinguishes an outdated socket or token
  private timer: ReturnType<typeof setTimeout> | undefined; // for the next try
  private due = 0; // when the next try is, by performance.now(), which is monotonic
  private notBefore = 0; // the server asked not to try before this time

  constructor(
    url: string, private readonly options: Omit<BelfryOptions, "itemOf">, private readonly user: LinkUser,
  ) {
    this.address = socketAddress(url);
    this.backoff = new Backoff(options);
    this.timeout = options.timeout ?? 12_000;
    // Random, so that clients which got the same last event do not all ask at once.
    this.quiet = (options.activityTimeout ?? 30_000) * (1 + Math.random() / 4);
  }

  get stopped(): boolean { return !this.unlisten; }

  /** Opens the connection in a microtask, so that listeners can be attached. */
  start(): void {
    if (this.unlisten) return;
    this.unlisten = listen({
      online: () => this.look("online"), offline: () => this.offline(), visible: () => this.look("visible"),
      resumed: () => {
        this.wait.renew(this.timeout); // frames that arrived meanwhile are not read yet
        this.look("visible");
      },
    });
    const attempt = ++this.attempt;
    queueMicrotask(() => { if (attempt === this.attempt) void this.open(); });
  }

  stop(notice: StateNotice): void {
    if (!this.unlisten) return;
    this.unlisten();
    this.unlisten = this.token = undefined; // another user may connect next
    this.abandon();
    this.user.stopped(notice);
  }

  /** Sends a message that the server answers. */
  send(text: string): void {
    this.awaiting = true;
    this.expect("an answer");
    this.socket?.send(text);
  }

  /** The answer has arrived. */
  answered(): void {
    this.awaiting = false;
    this.wait.set(this.quiet, () => this.user.silent());
  }

  /** Ends the try or the connection if what does not arrive in time. Other frames extend
   *  the time up to a limit: on a slow network an answer waits behind events. */
  private expect(what: string): void {
    const message = `${what} did not come within ${this.timeout} ms`;
    this.wait.set(this.timeout, () => this.fail({ kind: "timeout", message }), patience * this.timeout);
  }

  /** Makes the next try sooner, because there is a network or the user sees the page. */
  private hurry(reason: string): void {
    if (this.timer === undefined) return;
    const now = performance.now();
    const due = Math.max(now, this.notBefore) + Math.random() * 1000;
    if (due < this.due) this.retry({ state: "disconnected", reason }, Math.round(due - now));
  }

  /** The browser reports that there is no network. That may be wrong, so tries continue. */
  private offline(): void {
    if (this.socket) this.lose({ state: "disconnected", reason: "offline" }, 0);
  }

  /** Checks whether the socket is dead, because the page was inactive or the network has
   *  changed. */
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
    } catch (err) { // its message may contain the address, and so the token
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
    // Usually a close event follows at once, but not if the page's policy forbids the socket.
    socket.onerror = () => { setTimeout(closed, 1000, { code: 1006 }); };
  }

  private receive(text: string): void {
    if (this.acceptedAt !== undefined) {
      this.wait.putOff(this.awaiting ? this.timeout : this.quiet);
      this.user.text(text);
    } else if (accepts(text)) { // otherwise the server closes with 4401
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

  /** Reports why the try or the connection failed, and schedules the next try. */
  private fail(fault: ErrorNotice): void {
    const { attempt } = this;
    this.user.error(fault);
    if (attempt === this.attempt) this.lose({ state: "disconnected", reason: fault.kind }, 0);
  }

  /** Reports an error that another try would get, too, and stops. */
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

  /** Closes the socket and clears the timers and the state of the try. */
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
