/** Why a request got no valid answer, and what each kind means. */
export const ERRORS = {
  refused: "nothing listens at the address",
  unreachable: "the address cannot be reached",
  tls: "the TLS handshake failed",
  timeout: "no answer came in time",
  closed: "the connection was closed before the answer was complete",
  reset: "the connection was reset",
  failed: "the backend answered that the request failed",
  wrong_answer: "what arrived was not an answer to this request",
  http_4xx: "an HTTP status from 400 to 499",
  http_5xx: "an HTTP status of 500 or more",
  not_sent: "all connections were busy until the timeout",
  no_descriptors: "this machine: the generator has no file descriptor left (ulimit -n)",
  no_local_ports:
    "this machine: the generator has no local port left (--from gives it more addresses)",
  no_memory: "this machine: the system has no memory for another connection",
} as const;

/** Why a request got no valid answer. */
export type ErrorKind = keyof typeof ERRORS;

/** The kinds that this machine causes, not the server. */
export const SHORTAGES: ReadonlySet<ErrorKind> = new Set<ErrorKind>([
  "no_descriptors",
  "no_local_ports",
  "no_memory",
]);
