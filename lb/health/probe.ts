import { type Address, formatAddress, writeAll } from "../../lib/base/mod.ts";
import {
  closeIfOpen,
  type Connection,
  Deadline,
  type LocalResource,
  systemReason,
} from "../../lib/io/mod.ts";
import type { Config } from "../../lib/config/mod.ts";
import { type BackendTls, dial, DialFailure, dialTls } from "../dial/mod.ts";

/** The result of a probe. */
export type ProbeResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: string }
  /** This machine lacked a resource for the probe. The result contains no information about the backend. */
  | { readonly ok: undefined; readonly shortage: LocalResource; readonly detail: string };

/** The rules by which a backend is probed. */
export type ProbeRules = Config["healthCheck"];

/** The data that a backend expects at the beginning of a connection to its own port. */
export interface Approach {
  /** A PROXY header. */
  readonly header?: Uint8Array | undefined;
  readonly tls?: BackendTls | undefined;
}

/** The longest answer that a probe reads before it fails. */
const ANSWER_BYTES_MAX = 64 * 1024;

/** The longest status line of HTTP that a probe reads. */
const STATUS_LINE_MAX = 8 * 1024;
/** RFC 9112, section 4: version, status, reason; a line may end in LF alone. */
const STATUS_LINE = // deno-lint-ignore no-control-regex -- a reason must not have control characters
  /^HTTP\/1\.[01] ([1-5]\d\d)(?: [^\x00-\x08\x0a-\x1f\x7f]*)?\r?\n/;

/**
 * Probes a backend once. It never throws, and ends within the timeout. `lib/core/backend/health.ts` decides what the
 * result means.
 *
 * `tcp`: the connect succeeds, and the TLS handshake where backends use TLS. `expect`: after `send` was sent, the
 * answer contains `expect`. `http`: the answer to a GET has a status in one of the ranges.
 *
 * @param signal If it is aborted, the probe is given up.
 * @param approach Used only on the backend's own port; on another port the probe connects without TLS and without a
 *   PROXY header.
 */
export async function probe(
  address: Address,
  rules: ProbeRules,
  signal?: AbortSignal,
  approach: Approach = {},
): Promise<ProbeResult> {
  using deadline = new Deadline(rules.timeout, signal);
  const target = { host: address.host, port: rules.port ?? address.port };
  const { header, tls } = rules.port === undefined ? approach : {};
  const connection =
    await (tls === undefined
      ? dial(target, deadline.signal)
      : dialTls(target, tls, deadline.signal, header));
  if (connection instanceof DialFailure) {
    const { shortage, reason, detail } = connection;
    if (shortage !== undefined) return { ok: undefined, shortage, detail: detail ?? reason };
    return failed(`connect: ${reason}${detail === undefined ? "" : `: ${detail}`}`);
  }
  // Closing the connection wakes a read that would never end.
  const close = () => closeIfOpen(connection);
  deadline.signal.addEventListener("abort", close);
  try {
    const asks = rules.type === "expect" || rules.type === "http";
    if (header !== undefined && tls === undefined && asks) await writeAll(connection, header);
    return await converse(connection, target, rules);
  } catch (error) {
    return failed(deadline.signal.aborted ? "no answer in time" : systemReason(error));
  } finally {
    close();
  }
}

function converse(
  connection: Connection,
  address: Address,
  rules: ProbeRules,
): Promise<ProbeResult> | ProbeResult {
  switch (rules.type) {
    case "tcp":
    case "none":
      return { ok: true };
    case "expect":
      return converseExpect(connection, rules);
    case "http":
      return converseHttp(connection, address, rules);
  }
}

async function converseExpect(connection: Connection, rules: ProbeRules): Promise<ProbeResult> {
  const expected = rules.expect ?? "";
  if (rules.send !== undefined) await send(connection, rules.send);
  const answer = await readUntil(connection, (text) => text.includes(expected));
  return answer.includes(expected)
    ? { ok: true }
    : failed(`expected ${JSON.stringify(expected)}, got ${excerpt(answer)}`);
}

async function converseHttp(
  connection: Connection,
  address: Address,
  rules: ProbeRules,
): Promise<ProbeResult> {
  const host = rules.host ?? formatAddress(address);
  await send(
    connection,
    `GET ${rules.path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: lbsim\r\nConnection: close\r\n\r\n`,
  );
  const answer = await readUntil(connection, (text) => text.includes("\n"), STATUS_LINE_MAX);
  const status = STATUS_LINE.exec(answer)?.[1];
  if (status === undefined) {
    const isEndless = answer.length >= STATUS_LINE_MAX && !answer.includes("\n");
    return failed(
      isEndless ? "not HTTP: its status line does not end" : `not HTTP: got ${excerpt(answer)}`,
    );
  }
  const wanted = rules.status.some(({ min, max }) =>
    Number(status) >= min && Number(status) <= max
  );
  return wanted ? { ok: true } : failed(`HTTP status ${status}`);
}

async function send(connection: Connection, text: string): Promise<void> {
  await writeAll(connection, new TextEncoder().encode(text));
}

/** Reads until the text is sufficient, the other side has finished, or the text is too long. */
async function readUntil(
  connection: Connection,
  enough: (text: string) => boolean,
  bytesMax = ANSWER_BYTES_MAX,
): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(4096);
  let text = "";
  while (!enough(text) && text.length < bytesMax) {
    const count = await connection.read(buffer);
    if (count === null) break;
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  return text;
}

function failed(reason: string): ProbeResult {
  return { ok: false, reason };
}

function excerpt(answer: string): string {
  return answer === "" ? "nothing" : JSON.stringify(answer.slice(0, 40));
}
