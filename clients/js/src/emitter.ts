/** Calls a listener. If it throws, the error is reported and other listeners are still
 *  called. */
export function call<N>(listener: (notice: N) => void, notice: N): void {
  try {
    listener(notice);
  } catch (err) {
    setTimeout(() => { throw err; }); // so that the page's global error handler sees it
  }
}

/** Holds typed listeners by the kind of notice. */
export class Emitter<Events extends object> {
  private readonly listeners = new Map<keyof Events, Set<(notice: never) => void>>();

  /** Adds a listener and returns a function that removes it. */
  on<K extends keyof Events>(kind: K, listener: (notice: Events[K]) => void): () => void {
    let set = this.listeners.get(kind);
    if (!set) this.listeners.set(kind, (set = new Set()));
    set.add(listener);
    return () => { set.delete(listener); };
  }

  protected emit<K extends keyof Events>(kind: K, notice: Events[K]): void {
    for (const listener of [...(this.listeners.get(kind) ?? [])]) call(listener as (notice: Events[K]) => void, notice);
  }
}
