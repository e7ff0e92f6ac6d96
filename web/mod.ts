/** The dashboard as it is served: one page, its script, its style and its icon, from memory. */
import { CSS, HTML, ICON, SCRIPT } from "./assets.ts";

/** The answer to a request for a path. */
export interface Asset {
  readonly type: string;
  readonly body: string;
}

const ASSETS: Readonly<Record<string, Asset>> = {
  "/": { type: "text/html; charset=utf-8", body: HTML },
  "/dashboard.js": { type: "text/javascript; charset=utf-8", body: SCRIPT },
  "/dashboard.css": { type: "text/css; charset=utf-8", body: CSS },
  "/dashboard.svg": { type: "image/svg+xml", body: ICON },
};

/** The page may load only what is listed here, from the server that it came from, and nothing may frame it. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  ...["script-src", "style-src", "img-src", "connect-src"].map((kind) => `${kind} 'self'`),
  ...["base-uri", "form-action", "frame-ancestors"].map((kind) => `${kind} 'none'`),
].join("; ");

/** The asset at a path; undefined if the dashboard has none there. */
export function dashboardAsset(path: string): Asset | undefined {
  return Object.hasOwn(ASSETS, path) ? ASSETS[path] : undefined;
}
