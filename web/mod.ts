/** The dashboard and the playground as they are served, from memory. */
import type { Asset } from "./asset.ts";
import { CSS, HTML, ICON, SCRIPT } from "./assets.ts";

export { type Asset, CONTENT_SECURITY_POLICY, PLAYGROUND_POLICY } from "./asset.ts";

const ASSETS: Readonly<Record<string, Asset>> = {
  "/": { type: "text/html; charset=utf-8", body: HTML },
  "/dashboard.js": { type: "text/javascript; charset=utf-8", body: SCRIPT },
  "/dashboard.css": { type: "text/css; charset=utf-8", body: CSS },
  "/dashboard.svg": { type: "image/svg+xml", body: ICON },
};

/** The asset at a path; undefined if the dashboard has none there. */
export function dashboardAsset(path: string): Asset | undefined {
  return Object.hasOwn(ASSETS, path) ? ASSETS[path] : undefined;
}

/** A file of the playground by its name, "" for the page; undefined if there is none. Loaded when it is first needed. */
export async function playgroundAsset(name: string): Promise<Asset | undefined> {
  const { PLAYGROUND } = await import("./playground_assets.ts");
  const file = name === "" ? "index.html" : name;
  return Object.hasOwn(PLAYGROUND, file) ? PLAYGROUND[file] : undefined;
}
