/** The steps from an accepted connection to a client whose bytes can be read: PROXY headers, TLS, waiting. */
export { EarlyReader } from "./early_reader.ts";
export { type ProxyPreamble, readProxyPreamble } from "./proxy_preamble.ts";
export { acceptTls, type ServerContext, serverContext } from "./tls_accept.ts";
