import type { Backoff } from "./backoff.js";
import type { Word } from "./frames.js";
import type { DeniedNotice } from "./types.js";
import type { Message, Wanted, Wish } from "./wanted.js";

const tryAgain = "subscriptions are unavailable, try again";

/** Where the exchange writes, and whom it tells. */
export interface Partner {
  send(text: string): void;
  /** A set is active. `returned`: the groups of a lost connection that are back. */
  active(returned: string[]): void;
  denied(notice: DeniedNotice): void;
  /** A wish was not valid and is forgotten. */
  invalid(message: string): void;
}

/**
 * Messages and answers, one at a time: the server answers each message once, in
 * order, after the items it denies. What is wanted is sent until it is active.
 *
 * The server refuses a message as a whole, so where it refuses several new
 * wishes they are halved until one is alone: that one is forgotten, and the
 * others are not taken along.
 */
export class Exchange {
  private open = false;
  private sent: Message | undefined; // its answer is awaited
  private active: string | undefined; // the text of the last that was answered
  private portion = Infinity; // how many unproven wishes a message may carry
  private denied: string[] = [];
  private current: string[] = [];
  private readonly missed = new Set<string>(); // were active when the connection was lost
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly wanted: Wanted, private readonly backoff: Backoff, private readonly partner: Partner,
  ) {}

  get awaited(): boolean { return this.sent !== undefined; }

  /** A connection is there, without groups. */
  start(): void {
    this.open = true;
    this.send();
  }

  /** The connection is gone; what is wanted stays. */
  end(): void {
    clearTimeout(this.timer);
    this.open = false;
    this.sent = this.active = undefined;
    for (const group of this.current.splice(0)) this.missed.add(group);
  }

  /** Forgets the new wishes of the message on its way: it must not be repeated. */
  forget(err: Error): void {
    for (const wish of this.sent?.trial ?? []) this.drop(wish, err);
  }

  /** Sends what is wanted, unless it is active, or an answer is awaited. */
  send(): void {
    if (!this.open || this.sent) return;
    const message = this.wanted.message(this.portion);
    const asked = message.trial.some((wish) => wish === message.page); // somebody waits for an answer
    if (message.text === this.active && !asked && this.portion === Infinity) return;
    this.sent = message;
    this.denied = [];
    this.partner.send(message.text);
  }

  receive(word: Exclude<Word, { kind: "gap" }>): void {
    const sent = this.sent!;
    if (word.kind === "denied") {
      this.denied.push(`${word.name}-${word.item}`);
      this.partner.denied({ name: word.name, item: word.item, message: word.message });
      return;
    }
    this.sent = undefined;
    if (word.kind === "groups") this.answered(sent, word);
    else if (word.message === tryAgain) this.sendLater();
    else this.refused(sent.trial, word.message);
  }

  private answered(sent: Message, { current, joined, left }: Word & { kind: "groups" }): void {
    this.active = sent.text;
    this.portion = Infinity;
    this.current = [...current];
    this.backoff.reset();
    this.wanted.accepted(sent, { current, joined, left, denied: this.denied });
    const returned = current.filter((group) => this.missed.delete(group));
    this.send();
    if (!this.sent) this.missed.clear(); // what has not come back is no longer wanted
    this.partner.active(returned);
  }

  private sendLater(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), this.backoff.next());
  }

  private refused(trial: Wish[], message: string): void {
    // Where all of it was accepted before, any of it may have become invalid.
    const suspects = trial.length > 0 ? trial : this.wanted.doubted();
    this.portion = suspects.length >> 1 || Infinity;
    if (suspects.length > 1) {
      this.send();
      return;
    }
    for (const guilty of suspects) {
      this.drop(guilty, new Error(message));
      this.send();
    }
    this.partner.invalid(message);
  }

  private drop(wish: Wish, err: Error): void {
    this.wanted.drop(wish);
    wish.reject(err);
  }
}
