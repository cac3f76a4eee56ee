/** Calls a listener. One that throws does not stop the others. */
export function call<N>(listener: (notice: N) => void, notice: N): void {
  try {
    listener(notice);
  } catch (err) {
    setTimeout(() => { throw err; }); // the page's own error handler sees it
  }
}

/** A typed list of listeners. */
export class Emitter<Events extends object> {
  private readonly listeners = new Map<keyof Events, Set<(notice: never) => void>>();

  /** Returns a function that removes the listener again. */
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
