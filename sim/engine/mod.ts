/** Virtual time: the queue of events. */
export * from "./event_kinds.ts";
export { EventQueue } from "./event_queue.ts";
