/** Connections to backends. */
export { dial, DialFailure } from "./dial.ts";
export { Dialer } from "./dialer.ts";
export { type BackendTls, backendTlsOf, dialTls } from "./tls_dial.ts";
