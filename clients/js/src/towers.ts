import type { Item } from "./item.js";

/** A change of a job's status (`jobs` `status_changed`). */
export interface JobStatusChanged {
  group_name: "jobs";
  unified_job_id: number;
  status: string;
  instance_group_name?: string | null;
  workflow_job_id?: number;
  workflow_node_id?: number;
  project_id?: number;
}

/** A job's counts are complete (`jobs` `summary`). It has no status, which
 *  distinguishes it from JobStatusChanged. */
export interface JobSummary {
  group_name: "jobs";
  unified_job_id: number;
  status?: never;
}

/** A change of an inventory's status (`inventories` `status_changed`). */
export interface InventoryStatusChanged {
  group_name: "inventories";
  inventory_id: number;
  status: string;
  [more: string]: unknown;
}

export interface ScheduleChanged { group_name: "schedules"; id: number }

/** The keys that events of every kind of job have, in addition to the job's id and keys
 *  that depend on the event. */
export interface OutputEvent {
  counter: number;
  event: string;
  stdout: string;
  created: string;
  [more: string]: unknown;
}

export interface JobEvent extends OutputEvent { group_name: "job_events"; job: number }
export interface ProjectUpdateEvent extends OutputEvent { group_name: "project_update_events"; project_update: number }
export interface InventoryUpdateEvent extends OutputEvent { group_name: "inventory_update_events"; inventory_update: number }
export interface SystemJobEvent extends OutputEvent { group_name: "system_job_events"; system_job: number }
export interface AdHocCommandEvent extends OutputEvent { group_name: "ad_hoc_command_events"; ad_hoc_command: number }

export interface WorkflowEvent {
  group_name: "workflow_events";
  workflow_job_id: number;
  workflow_node_id: number;
  unified_job_id: number;
  status: string;
}

export interface Control { group_name: "control"; reason: string }

/** The payloads that Tower's backends emit, by group name. */
export interface TowerPayloads {
  jobs: JobStatusChanged | JobSummary;
  schedules: ScheduleChanged;
  inventories: InventoryStatusChanged;
  job_events: JobEvent;
  project_update_events: ProjectUpdateEvent;
  inventory_update_events: InventoryUpdateEvent;
  system_job_events: SystemJobEvent;
  ad_hoc_command_events: AdHocCommandEvent;
  workflow_events: WorkflowEvent;
  control: Control;
}

/** Returns the item that one of Tower's payloads belongs to; undefined if the payload
 *  does not say it (`control`) or is not Tower's. */
export function towersItem({ name, payload }: { name: string; payload: unknown }): Item | undefined {
  const keys = payload as Record<string, unknown>;
  if (name === "jobs") return "status" in keys ? "status_changed" : "summary";
  const key = name === "workflow_events" ? "workflow_job_id" : /^(.+)_events$/.exec(name)?.[1];
  const item = key && keys[key];
  return typeof item === "number" || typeof item === "string" ? item : undefined;
}
