/** Serves the files of the dashboard and of the playground from memory. */
import { type Asset, CONTENT_SECURITY_POLICY, PLAYGROUND_POLICY } from "./asset.ts";
import { CSS, HTML, ICON, SCRIPT } from "./assets.ts";

export { type Asset, CONTENT_SECURITY_POLICY, PLAYGROUND_POLICY } from "./asset.ts";

/** An asset as it is served, with the policy of its page. */
export interface ServedAsset {
  readonly status: 200;
  readonly type: string;
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** A file of the playground with its policy, "" for the page; undefined if there is none. */
export async function playgroundPage(name: string): Promise<ServedAsset | undefined> {
  const asset = await playgroundAsset(name);
  return asset && served(asset, PLAYGROUND_POLICY);
}

/** A file of the dashboard with its policy; undefined if it has none at this path. */
export function dashboardPage(path: string): ServedAsset | undefined {
  const asset = dashboardAsset(path);
  return asset && served(asset, CONTENT_SECURITY_POLICY);
}

function served({ type, body }: Asset, policy: string): ServedAsset {
  return { status: 200, type, text: body, headers: { "Content-Security-Policy": policy } };
}

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
