import type { BackendCondition, LbEvent } from "../core/mod.ts";

/** The conditions of a backend, in the order of their numbers in a frame. */
export const CONDITIONS = [
  "unknown",
  "up",
  "down",
  "ejected",
  "drain",
  "maintenance",
] as const satisfies readonly BackendCondition[];

/**
 * The data that a page draws at one moment, about ten times a second. Each column has one number per backend, in the
 * order of `backends`. A frame is complete: a reader that missed some frames continues with the next one. Frames of
 * real sockets and of virtual time look the same.
 */
export interface Frame extends FrameTotals, FrameColumns {
  readonly backends: readonly string[];
  /**
   * The events since the previous frame, without those of single connections: changes of health, wishes, faults,
   * reloads.
   */
  readonly marks: readonly LbEvent[];
}

/** The totals of a frame. */
export interface FrameTotals {
  /** The number of the frame; one more than in the previous frame. */
  readonly sequence: number;
  /** The time since the start of the run. */
  readonly at_ms: number;
  readonly in_flight: number;
  readonly waiting: number;
  readonly sessions: number;
  /** Connections that reached a backend, since the start. */
  readonly opened: number;
  /** Clients that were refused, since the start. */
  readonly refused: number;
  readonly bytes_to_backends: number;
  readonly bytes_to_clients: number;
  /** NaN in the simulator. */
  readonly event_loop_delay_ms: number;
}

/** The columns of a frame, with one number for each backend. NaN: nothing was measured. */
export interface FrameColumns {
  /** Indices into `CONDITIONS`. */
  readonly condition: Uint8Array;
  /** The weight that the algorithm uses: less than the configured weight during a slow start. */
  readonly effective_weight: Float64Array;
  readonly backend_in_flight: Float64Array;
  readonly backend_opened: Float64Array;
  /** Connections opened per second, over the last one or two seconds. */
  readonly opened_per_s: Float64Array;
  readonly connects_failed: Float64Array;
  readonly connect_p50_ms: Float64Array;
  readonly connect_p99_ms: Float64Array;
  readonly first_byte_p50_ms: Float64Array;
  readonly first_byte_p99_ms: Float64Array;
}

const FLOAT_COLUMNS = [
  "effective_weight",
  "backend_in_flight",
  "backend_opened",
  "opened_per_s",
  "connects_failed",
  "connect_p50_ms",
  "connect_p99_ms",
  "first_byte_p50_ms",
  "first_byte_p99_ms",
] as const satisfies readonly (keyof FrameColumns)[];

/** A frame as one line of JSON: columns are arrays, and null stands for NaN. */
export function encodeFrame(frame: Frame): string {
  const columns = FLOAT_COLUMNS.map((name) => [name, [...frame[name]]]);
  return JSON.stringify({
    ...frame,
    condition: [...frame.condition],
    ...Object.fromEntries(columns),
  });
}

/**
 * The frame that `encodeFrame` wrote.
 *
 * @throws {SyntaxError} if the text is not JSON.
 */
export function decodeFrame(text: string): Frame {
  const parsed = JSON.parse(text);
  const columns = FLOAT_COLUMNS.map((name) => [name, floats(parsed[name])]);
  return {
    ...parsed,
    event_loop_delay_ms: parsed.event_loop_delay_ms ?? NaN,
    condition: Uint8Array.from(parsed.condition),
    ...Object.fromEntries(columns),
  };
}

function floats(numbers: readonly (number | null)[]): Float64Array {
  return Float64Array.from(numbers, (number) => number ?? NaN);
}
