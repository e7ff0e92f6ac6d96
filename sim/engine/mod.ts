/** Virtual time: the queue of events, and random numbers by key. */
export * from "./event_kinds.ts";
export { EventQueue } from "./event_queue.ts";
export { KeyedRandom, KeyedSampler } from "./keyed_random.ts";
