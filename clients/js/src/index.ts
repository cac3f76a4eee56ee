export { Belfry } from "./belfry.js";
export { closeRule } from "./close.js";
export type { CloseRule } from "./close.js";
export type {
  BelfryEvents, BelfryOptions, DeniedNotice, ErrorNotice, EventNotice, GapNotice, Groups, GroupsResult,
  Item, SocketLike, State, StateNotice, Subscription,
} from "./types.js";
