import {
  closeIfOpen,
  type Endpoints,
  parseProxyHeader,
  PROXY_HEADER_MAX,
  timerDelay,
} from "../../lib/io/mod.ts";
import type { Nanoseconds } from "../../lib/base/mod.ts";

/** The data that a client's proxy sends before the client's own bytes. */
export interface ProxyPreamble {
  /** Absent if the proxy itself made the connection, for a health check. */
  readonly endpoints?: Endpoints;
  /** Bytes after the header in the same read: the client's first bytes. */
  readonly rest: Uint8Array;
}

/**
 * Reads the PROXY header with which a trusted proxy begins a connection.
 *
 * @param timeout If the header is not complete after this time, the connection is closed.
 * @returns The preamble, or, if there is no valid header in time, the reason for which the client is refused.
 */
export async function readProxyPreamble(
  client: Deno.TcpConn,
  timeout: Nanoseconds,
): Promise<ProxyPreamble | "bad_proxy_header" | "sent_nothing"> {
  const buffer = new Uint8Array(PROXY_HEADER_MAX);
  let filled = 0;
  // Closing the connection wakes a read that would never end.
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    closeIfOpen(client);
  }, timerDelay(timeout));
  const failure = () => filled === 0 && !isLate ? "sent_nothing" : "bad_proxy_header";
  try {
    while (filled < buffer.length) {
      const count = await client.read(buffer.subarray(filled));
      if (count === null) return failure();
      filled += count;
      const header = parseProxyHeader(buffer.subarray(0, filled));
      if (header.status === "invalid") return failure();
      if (header.status === "incomplete") continue;
      const rest = buffer.slice(header.length, filled);
      return { rest, ...header.endpoints !== undefined && { endpoints: header.endpoints } };
    }
    return failure();
  } catch {
    return failure(); // The client has left, or it was too slow.
  } finally {
    clearTimeout(timer);
  }
}
