import { afterEach, beforeEach, vi } from "vitest";

let page: EventTarget;
let doc: EventTarget & { visibilityState: "visible" | "hidden" };

/** Gives each test of a file a page: a window and a document that can be told
 *  what a browser tells them. */
export function playPage(): void {
  beforeEach(() => {
    page = new EventTarget();
    doc = Object.assign(new EventTarget(), { visibilityState: "visible" as const, baseURI: "https://tower.example/jobs/" });
    for (const method of ["addEventListener", "removeEventListener"] as const) vi.stubGlobal(method, page[method].bind(page));
    vi.stubGlobal("document", doc);
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });
}

export const say = {
  online: () => page.dispatchEvent(new Event("online")),
  offline: () => page.dispatchEvent(new Event("offline")),
  hidden: () => { doc.visibilityState = "hidden"; doc.dispatchEvent(new Event("visibilitychange")); },
  visible: () => { doc.visibilityState = "visible"; doc.dispatchEvent(new Event("visibilitychange")); },
  resume: () => doc.dispatchEvent(new Event("resume")),
  pageshow: (persisted: boolean) => page.dispatchEvent(Object.assign(new Event("pageshow"), { persisted })),
};

/** The ways in which a page comes back. */
export const returns = {
  "is visible": say.visible, "is resumed": say.resume, "is shown from the cache": () => say.pageshow(true), "has a network again": say.online,
};
