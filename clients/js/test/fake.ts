import type { SocketLike } from "../src/types.js";

/** A socket whose server side is the test. */
export class FakeSocket implements SocketLike {
  static all: FakeSocket[] = [];
  onopen = null;
  onmessage: ((e: { data: string }) => void) | null = null;
  onclose: ((e: { code: number; reason: string }) => void) | null = null;
  onerror = null;
  sent: string[] = [];
  closed = false;

  constructor(readonly url: string) { FakeSocket.all.push(this); }

  static get last(): FakeSocket { return FakeSocket.all[FakeSocket.all.length - 1]!; }

  send(text: string): void { this.sent.push(text); }
  close(): void { this.closed = true; }

  /** What the server sends. */
  frame(text: string): void { this.onmessage?.({ data: text }); }
  accept(): void { this.frame('{"accept": true, "user": 7}'); }
  answer(current: string[] = [], joined: string[] = current, left: string[] = []): void {
    this.frame(JSON.stringify({ groups_current: current, groups_left: left, groups_joined: joined }));
  }
  end(code: number, reason = ""): void { this.onclose?.({ code, reason }); }
}
