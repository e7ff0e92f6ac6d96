/** The answer to a request for a path. */
export interface Asset {
  readonly type: string;
  readonly body: string;
}

/** A page may load only files of these kinds, and only from its own server. No other page may show it in a frame. */
export const CONTENT_SECURITY_POLICY: string = [
  "default-src 'none'",
  ...["script-src", "style-src", "img-src", "connect-src"].map((kind) => `${kind} 'self'`),
  ...["base-uri", "form-action", "frame-ancestors"].map((kind) => `${kind} 'none'`),
].join("; ");

/** The policy for the playground, whose simulation runs in a worker. */
export const PLAYGROUND_POLICY: string = `${CONTENT_SECURITY_POLICY}; worker-src 'self'`;
