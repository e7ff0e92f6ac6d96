import { connect, type Socket } from "node:net";
import type { Address } from "../../lib/base/mod.ts";
import type { Connection } from "../../lib/io/mod.ts";

/**
 * Connects from an address of this machine. `Deno.connect` cannot choose the local address, so this uses
 * `node:net`, which costs about twice as much per request.
 */
export function connectFrom(
  { host, port }: Address,
  localAddress: string,
  signal: AbortSignal,
): Promise<NodeConnection> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, localAddress, noDelay: true });
    const abort = () => socket.destroy(new Deno.errors.Interrupted("the connect was given up"));
    signal.addEventListener("abort", abort);
    const settle = () => {
      signal.removeEventListener("abort", abort);
      socket.removeListener("error", fail);
    };
    const fail = (error: Error) => {
      settle();
      reject(error);
    };
    socket.once("error", fail);
    socket.once("connect", () => {
      settle();
      resolve(new NodeConnection(socket));
    });
    if (signal.aborted) abort();
  });
}

interface Reading {
  readonly buffer: Uint8Array;
  readonly resolve: (count: number | null) => void;
  readonly reject: (error: Error) => void;
}

/** A socket of `node:net` that is read and written like one of Deno. */
class NodeConnection implements Connection {
  readonly #socket: Socket;
  #chunks: Uint8Array[] = [];
  #reading: Reading | undefined;
  #hasEnded = false;
  #error: Error | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Uint8Array) => {
      this.#chunks.push(chunk);
      if (this.#reading === undefined) socket.pause();
      this.#serve();
    });
    socket.on("end", () => {
      this.#hasEnded = true;
      this.#serve();
    });
    socket.on("error", (error: Error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Deno.errors.Interrupted("the connection was closed")));
  }

  /** The local port. */
  get localPort(): number {
    return this.#socket.localPort ?? 0;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return new Promise((resolve, reject) => {
      this.#reading = { buffer, resolve, reject };
      this.#serve();
      if (this.#reading !== undefined && this.#socket.isPaused()) this.#socket.resume();
    });
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#socket.write(
        bytes,
        (error?: Error | null) => error ? reject(error) : resolve(bytes.length),
      );
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(() => resolve()));
  }

  close(): void {
    this.#socket.destroy();
  }

  #serve(): void {
    const reading = this.#reading;
    if (reading === undefined) return;
    const chunk = this.#chunks[0];
    if (chunk !== undefined) {
      const count = Math.min(chunk.length, reading.buffer.length);
      reading.buffer.set(chunk.subarray(0, count));
      if (count === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(count);
      this.#reading = undefined;
      reading.resolve(count);
    } else if (this.#hasEnded || this.#error !== undefined) {
      this.#reading = undefined;
      if (this.#hasEnded) reading.resolve(null);
      else reading.reject(this.#error!);
    }
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#serve();
  }
}
