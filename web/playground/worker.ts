/**
 * The playground's worker: it runs the simulation and sends the frames that the page draws. The rest of the code is
 * in `sim/play`, which is pure.
 */
import { type Message, Player, type Request } from "../../sim/play/mod.ts";

/** The properties of a worker that a page does not have. */
interface WorkerScope {
  postMessage(message: Message, transfer: readonly ArrayBufferLike[]): void;
  onmessage: ((event: { readonly data: Request }) => void) | null;
}

const scope = globalThis as unknown as WorkerScope;
/** The longest duration of a tick. Messages of the page are answered between two ticks. */
const TICK_MS = 12;
/** The pause between two ticks. */
const PAUSE_MS = 4;

const player = new Player(() => performance.now(), send);
let isScheduled = false;

scope.onmessage = ({ data }) => {
  player.take(data);
  schedule();
};

function schedule(): void {
  if (isScheduled || !player.isBusy) return;
  isScheduled = true;
  setTimeout(tick, PAUSE_MS);
}

function tick(): void {
  isScheduled = false;
  player.tick(TICK_MS);
  schedule();
}

/** Sends a message. Its columns are transferred, not copied. */
function send(message: Message): void {
  const buffers = new Set<ArrayBufferLike>();
  if (message.kind === "update") collect(message, buffers);
  scope.postMessage(message, [...buffers]);
}

function collect(value: unknown, buffers: Set<ArrayBufferLike>): void {
  if (ArrayBuffer.isView(value)) buffers.add(value.buffer);
  else if (Array.isArray(value)) {
    for (const item of value) if (typeof item === "object") collect(item, buffers);
  } else if (typeof value === "object" && value !== null) {
    for (const inner of Object.values(value)) collect(inner, buffers);
  }
}
