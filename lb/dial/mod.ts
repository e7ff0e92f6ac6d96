/** Connections to backends. */
export { dial, type DialFailure } from "./dial.ts";
export { Dialer } from "./dialer.ts";
export { type BackendTls, backendTlsOf, dialTls } from "./tls_dial.ts";
