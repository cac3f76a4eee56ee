/** The browser's events about the page and the network. */
export interface PageUser {
  online(): void;
  offline(): void;
  /** The page became visible. */
  visible(): void;
  /** The page did not run for a while: it was frozen, or in the back-forward cache. */
  resumed(): void;
}

/** Listens until the returned function is called. Outside a page there are no such
 *  events. */
export function listen(user: PageUser): () => void {
  const { document } = globalThis;
  const heard: [EventTarget | undefined, string, (e: Event) => void][] = [
    [globalThis, "online", () => user.online()],
    [globalThis, "offline", () => user.offline()],
    [globalThis, "pageshow", (e) => { if ((e as PageTransitionEvent).persisted) user.resumed(); }],
    [document, "resume", () => user.resumed()],
    [document, "visibilitychange", () => { if (document.visibilityState === "visible") user.visible(); }],
  ];
  for (const [target, kind, listener] of heard) target?.addEventListener?.(kind, listener);
  return () => { for (const [target, kind, listener] of heard) target?.removeEventListener?.(kind, listener); };
}
