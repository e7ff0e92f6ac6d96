import { closeIfOpen } from "./close_if_open.ts";

const NOTHING = new Uint8Array(0);

/**
 * Resolves after other events have been handled. Operations that are ready at once settle in microtasks, so a
 * chain of them keeps the event loop from polling. A result from another thread makes it poll within
 * microseconds, unless both threads share a busy processor and the result arrives too soon: for streams that
 * never pause use `EventLoopGate`. `setTimeout` sleeps for at least a millisecond, and `setImmediate` may
 * fire up to sixty times before the loop polls.
 */
export async function eventLoopTurn(): Promise<void> {
  await crypto.subtle.digest("SHA-1", NOTHING);
}

/**
 * Makes the event loop poll for input and output. The gate is a connection of this process to itself: bytes
 * written at one end arrive at the other only when the loop polls.
 */
export class EventLoopGate {
  readonly #near: Deno.TcpConn;
  readonly #far: Deno.TcpConn;
  readonly #byte = new Uint8Array(1);
  readonly #received = new Uint8Array(16);

  private constructor(near: Deno.TcpConn, far: Deno.TcpConn) {
    this.#near = near;
    this.#far = far;
  }

  /** Opens a gate; undefined if this machine does not allow it. */
  static async open(): Promise<EventLoopGate | undefined> {
    try {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = listener.addr;
      const accepting = listener.accept();
      accepting.catch(() => {});
      const near = await Deno.connect({ hostname: "127.0.0.1", port });
      const far = await accepting;
      const gate = new EventLoopGate(near, far);
      near.setNoDelay();
      // Another process may have connected first.
      if (far.remoteAddr.port === near.localAddr.port) return gate;
      gate.close();
    } catch {
      // The caller has no gate then, and uses a timer instead.
    }
    return undefined;
  }

  /** Resolves when the loop has polled, or the gate is closed. One call at a time. */
  async turn(): Promise<void> {
    const seen = this.#far.read(this.#received).catch(() => null);
    await this.#near.write(this.#byte).catch(() => closeIfOpen(this.#far));
    await seen;
  }

  close(): void {
    closeIfOpen(this.#near);
    closeIfOpen(this.#far);
  }
}
