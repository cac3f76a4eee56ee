export { Belfry } from "./belfry.js";
export { closeRule } from "./close.js";
export type { CloseRule } from "./close.js";
export type { Item } from "./item.js";
export type {
  AdHocCommandEvent, Control, InventoryStatusChanged, InventoryUpdateEvent, JobEvent, JobStatusChanged, JobSummary, OutputEvent,
  ProjectUpdateEvent, ScheduleChanged, SystemJobEvent, TowerPayloads, WorkflowEvent,
} from "./towers.js";
export type {
  BelfryEvents, BelfryOptions, DeniedNotice, ErrorKind, ErrorNotice, EventIterator, EventNotice, GapNotice, Groups,
  GroupsResult, Name, Notice, SocketLike, State, StateNotice, Subscription, UnnamedNotice,
} from "./types.js";
