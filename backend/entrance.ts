import { setTimeout as delay } from "node:timers/promises";
import { acceptAll, closeIfOpen, listen, listenTls } from "../lib/io/mod.ts";
import { type Address, addressOf, isWildcard, UserError } from "../lib/base/mod.ts";
import type { FaultEffect } from "../lib/fault/mod.ts";
import type { KeyPair } from "../lib/files/mod.ts";

/** A client's socket. */
export type Socket = Deno.TcpConn | Deno.TlsConn;

/**
 * The reaction to a client at the backend's address. `open`: the client is accepted. `closed`: its connect is refused.
 * `silent`: its connect gets no answer. `resetting`: its connect succeeds, and the connection is reset when its first
 * data arrive.
 */
export type EntranceMode = "open" | "closed" | "silent" | "resetting";

/** Whether all work of a backend is stopped. */
export function isHalted({ silent, paused }: FaultEffect): boolean {
  return silent || paused;
}

/** The reaction to a client at a backend with these faults. */
export function entranceMode({ down, silent, refusing, resetting }: FaultEffect): EntranceMode {
  if (down) return "closed";
  if (silent) return "silent";
  if (refusing) return "closed";
  return resetting ? "resetting" : "open";
}

/** A listener. `close` resolves when another one can listen at the same address. */
interface Listening {
  close(): Promise<void>;
}

/** The pause after an accept that failed because this process has no free descriptor. */
const SHORTAGE_PAUSE_MS = 50;

/** A connect to this machine that takes longer than this will get no answer. */
const CONNECT_MS = 200;
/** This many connections fill the backlog of a silent listener, on every system on which it can be filled. */
const FILLERS_MAX = 16;

/** The listening side of a backend. */
export class Entrance {
  /** Where the backend listens. If it was asked to listen on port 0, this is the real port. */
  readonly address: Address;
  readonly #tls: KeyPair | undefined;
  readonly #take: (socket: Socket) => void;
  readonly #failed: (error: unknown) => void;
  #mode: EntranceMode = "open";
  #present: Listening;
  /** Resolves when the mode is in force. */
  #changing: Promise<void> = Promise.resolve();

  /**
   * @param take Gets each client that is accepted.
   * @param failed Called when the backend cannot listen any more.
   * @throws {UserError} if the backend cannot listen.
   */
  constructor(
    address: Address,
    tls: KeyPair | undefined,
    take: (socket: Socket) => void,
    failed: (error: unknown) => void,
  ) {
    this.#tls = tls;
    this.#take = take;
    this.#failed = failed;
    const listener = this.#open(address);
    this.#present = listener;
    this.address = listener.address;
  }

  /** Changes the mode. Resolves when it is in force. Accepted connections stay as they are. */
  setMode(mode: EntranceMode): Promise<void> {
    if (mode !== this.#mode) {
      this.#mode = mode;
      this.#changing = this.#changing.then(() => this.#replace(mode));
    }
    return this.#changing;
  }

  async #replace(mode: EntranceMode): Promise<void> {
    const { close } = this.#present;
    this.#present = CLOSED;
    try {
      await close();
      // The mode may have changed again during the close.
      if (mode === this.#mode) this.#present = await this.#openAs(mode);
    } catch (error) {
      this.#failed(error);
    }
  }

  #openAs(mode: EntranceMode): Listening | Promise<Listening> {
    switch (mode) {
      case "open":
        return this.#open(this.address);
      case "silent":
        return listenSilently(this.address);
      case "resetting":
        return listenAndReset(this.address);
      case "closed":
        return CLOSED;
    }
  }

  #open(address: Address): Listening & { readonly address: Address } {
    const listener: Deno.Listener<Socket, Deno.NetAddr> = this.#tls === undefined
      ? listen(address)
      : listenTls(address, this.#tls);
    const accepting = acceptAll(listener, this.#take, () => delay(SHORTAGE_PAUSE_MS))
      .catch(this.#failed);
    return {
      address: addressOf(listener.addr),
      async close() {
        closeIfOpen(listener);
        await accepting;
      },
    };
  }
}

const CLOSED: Listening = { close: () => Promise.resolve() };

/**
 * Listens with a full backlog. Linux drops further connects, so they time out, as if the machine hung. On other
 * systems, a connect succeeds, and no data come.
 */
async function listenSilently({ host, port }: Address): Promise<Listening> {
  const listener = Deno.listen({ hostname: host, port, tcpBacklog: 1 });
  const hostname = isWildcard(host) ? (host === "::" ? "::1" : "127.0.0.1") : host;
  const fillers: Deno.TcpConn[] = [];
  while (fillers.length < FILLERS_MAX) {
    const tooLong = new AbortController();
    const timer = setTimeout(() => tooLong.abort(), CONNECT_MS);
    try {
      fillers.push(await Deno.connect({ hostname, port, signal: tooLong.signal }));
    } catch {
      break; // The backlog is full.
    } finally {
      clearTimeout(timer);
    }
  }
  return {
    close() {
      listener.close();
      fillers.forEach(closeIfOpen);
      return Promise.resolve();
    },
  };
}

/**
 * Listens, and resets each connection when its first data arrive. It uses Node's server: Deno's own sockets cannot
 * reset.
 */
async function listenAndReset({ host, port }: Address): Promise<Listening> {
  const { createServer } = await import("node:net");
  const ended = new AbortController();
  const server = createServer((socket) => {
    const reset = () => socket.resetAndDestroy();
    ended.signal.addEventListener("abort", reset);
    socket.on("error", () => {}); // The client has gone.
    socket.once("close", () => ended.signal.removeEventListener("abort", reset));
    socket.once("data", reset);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      reject(new UserError(`cannot listen any more: ${error.message}`, { cause: error }));
    });
    server.listen({ host, port }, resolve);
  });
  return {
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      ended.abort();
      await closed;
    },
  };
}
