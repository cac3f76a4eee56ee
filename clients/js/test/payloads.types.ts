// Nothing of this runs: `npm run check` compiles it, and an error that is
// expected and missing fails as well.
import { Belfry } from "../src/index.js";
import type { BelfryOptions, EventNotice, GapNotice, Groups, JobEvent, JobStatusChanged, TowerPayloads } from "../src/index.js";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
const same = <A, B>(_: Same<A, B>) => {};

const options = { getToken: () => "t" };
const tower = new Belfry("ws://tower", options);

// The families of docs/client-protocol.md, each by its name.
same<keyof TowerPayloads,
  "jobs" | "schedules" | "inventories" | "job_events" | "project_update_events" | "inventory_update_events" | "system_job_events"
  | "ad_hoc_command_events" | "workflow_events" | "control">(true);

tower.on("event", (event) => {
  if (event.name === "job_events") {
    same<typeof event.payload, JobEvent>(true);
    const line: string = event.payload.stdout;
    // @ts-expect-error: a counter is a number
    const wrong: string = event.payload.counter;
    void [line, wrong];
  }
  // @ts-expect-error: no family of Tower's
  if (event.name === "job_event") return;
  // @ts-expect-error: of which family?
  void event.payload.stdout;
});

tower.on("event", ({ name, payload, text }) => {
  same<typeof text, string>(true);
  if (name === undefined) same<typeof payload, unknown>(true);
  if (name === "control") void payload.reason.length;
  if (name === "workflow_events") void (payload.workflow_node_id + payload.unified_job_id);
  if (name === "jobs") {
    void payload.unified_job_id;
    // @ts-expect-error: a summary has no status
    void payload.status.length;
    if (payload.status !== undefined) same<typeof payload, JobStatusChanged>(true);
  }
});

// @ts-expect-error: no such notice
tower.on("events", () => {});
tower.on("gap", (gap) => { same<typeof gap, GapNotice>(true); });

async function iterate(): Promise<void> {
  for await (const { name, payload } of tower.events("ad_hoc_command_events", 5)) {
    same<typeof name, "ad_hoc_command_events">(true);
    void payload.ad_hoc_command.toFixed();
    // @ts-expect-error: that is a job's
    void payload.job.toFixed();
  }
  // @ts-expect-error: no family of Tower's
  for await (const _ of tower.events("orders", 5)) break;
}

void tower.setGroups({ jobs: ["status_changed"], job_events: [42] });
// @ts-expect-error: no family of Tower's
void tower.setGroups({ orders: [1] });
// @ts-expect-error: a list of items
void tower.setGroups({ jobs: "summary" });
// @ts-expect-error: no family of Tower's
tower.subscribe("orders", 1);
same<Groups["jobs"], readonly (string | number)[] | undefined>(true);

// A table of one's own.
interface Shop { orders: { id: number }; chat: { room: string; text: string } }
const shop = new Belfry<Shop>("ws://shop", { ...options, itemOf: (e) => (e.name === "chat" ? e.payload.room : e.payload.id) });
shop.on("event", ({ name, payload }) => {
  if (name === "orders") same<typeof payload, { id: number }>(true);
  // @ts-expect-error: Tower's is not here
  if (name === "jobs") return;
});
void shop.setGroups({ chat: ["room 1"] });
// @ts-expect-error: Tower's is not here
void shop.setGroups({ jobs: ["summary"] });
// @ts-expect-error: a price is not in the table
const wrong: BelfryOptions<Shop> = { ...options, itemOf: (e) => (e.name === "orders" ? e.payload.price : undefined) };
const notice: EventNotice<Shop, "chat"> = { name: "chat", payload: { room: "1", text: "hello" }, text: "" };

// Tower's and one's own together, and no table at all.
type Both = TowerPayloads & Shop;
void new Belfry<Both>("ws://both", options).setGroups({ jobs: ["summary"], orders: [1] });
const any = new Belfry<Record<string, unknown>>("ws://any", options);
any.on("event", ({ name, payload }) => {
  same<typeof name, string | undefined>(true);
  same<typeof payload, unknown>(true);
});
void any.setGroups({ whatever: [1] });

Belfry.shared<Shop>("ws://shop", options).on("event", ({ name }) => { same<typeof name, "orders" | "chat" | undefined>(true); });
void [iterate, wrong, notice];
