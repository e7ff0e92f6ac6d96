import type { Frame } from "../../../lib/observe/mod.ts";

/** A frame in which each backend is up and has as many in flight as its place in the list, counted from 1. */
export function frameOf(
  { backends = ["B1"], ...said }: Partial<Frame> & Pick<Frame, "at_ms">,
): Frame {
  const column = (of: (i: number) => number) => Float64Array.from(backends, (_, i) => of(i));
  return {
    sequence: 1,
    in_flight: backends.length,
    waiting: 0,
    sessions: 0,
    opened: 0,
    refused: 0,
    bytes_to_backends: 0,
    bytes_to_clients: 0,
    event_loop_delay_ms: NaN,
    backends,
    marks: [],
    condition: new Uint8Array(backends.length).fill(1),
    effective_weight: column(() => 1),
    backend_in_flight: column((i) => i + 1),
    backend_opened: column(() => 0),
    opened_per_s: column((i) => 10 * (i + 1)),
    connects_failed: column(() => 0),
    connect_p50_ms: column(() => NaN),
    connect_p99_ms: column(() => NaN),
    first_byte_p50_ms: column(() => NaN),
    first_byte_p99_ms: column(() => NaN),
    ...said,
  };
}
