/** What the browser tells a page about itself and the network. */
export interface PageUser {
  online(): void;
  offline(): void;
  /** The user looks at the page. */
  visible(): void;
  /** The page did not run for a while: it was frozen, or in the back-forward cache. */
  resumed(): void;
}

/** Listens until the function that it returns is called. Outside of a page
 *  there is nothing to hear. */
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
