import type { Nanoseconds } from "../base/mod.ts";

/** A fault of a backend's process or machine. Simultaneous faults add up, and each lasts until its own end. */
export type ServerFault =
  /**
   * The process is gone: its requests are lost, its connections are reset, connects and probes are refused.
   * After the fault it has no requests and no connections.
   */
  | { readonly name: "crash" }
  /**
   * The machine does not answer: connects and probes time out, work stops, connections stay open. After the
   * fault, work continues where it stopped.
   */
  | { readonly name: "hang" }
  /**
   * The process stops (garbage collection, SIGSTOP), but its kernel runs: connects and `tcp` probes succeed,
   * requests queue, and `expect` and `http` probes time out.
   */
  | { readonly name: "pause" }
  /** The process does not listen: connects and probes are refused, and open connections continue. */
  | { readonly name: "refuse" }
  /**
   * Connects and `tcp` probes succeed, and each connection is reset when its first data arrive. Connections
   * that are open when the fault begins end at once.
   */
  | { readonly name: "reset" }
  /** Everything takes `factor` times as long. */
  | { readonly name: "slow"; readonly factor: number }
  /** This share of requests, and of `expect` and `http` probes, is served and then ends in an error. */
  | { readonly name: "fail-rate"; readonly rate: number }
  /** This share of requests, and of `expect` and `http` probes, immediately gets an error, without work. */
  | { readonly name: "fast-errors"; readonly rate: number }
  /**
   * Probes of every type succeed immediately, at any load. This share of requests is served and then ends in
   * an error, and everything takes `factor` times as long.
   */
  | { readonly name: "gray"; readonly rate: number; readonly factor: number }
  /** Crashes and restarts periodically: it is down for the first `down` share of every period. */
  | { readonly name: "flap"; readonly period: Nanoseconds; readonly down: number };
