import assert from "node:assert/strict";
import { assetsModule } from "../../web/bundle.ts";
import { CONTENT_SECURITY_POLICY, dashboardAsset } from "../../web/mod.ts";
import { readText } from "../tidy/source.ts";

Deno.test("web/assets.ts is up to date: run `deno task dashboard`", async () => {
  assert.ok(
    await assetsModule() === readText("web/assets.ts"),
    "the file differs from the bundle of the present sources",
  );
});

Deno.test("the page's script contains no part of deno.json, so that changes there do not change the script", () => {
  assert.doesNotMatch(dashboardAsset("/dashboard.js")!.body, /@lbsim|compilerOptions/);
});

Deno.test("dashboardAsset() serves the page, its script, its style and its icon, and nothing else", () => {
  assert.match(dashboardAsset("/")!.type, /^text\/html/);
  assert.match(dashboardAsset("/dashboard.js")!.type, /^text\/javascript/);
  assert.match(dashboardAsset("/dashboard.css")!.body, /uplot/);
  assert.match(dashboardAsset("/dashboard.svg")!.body, /^<svg/);
  for (const path of ["", "/index.html", "/toString", "/__proto__", "/dashboard.js/"]) {
    assert.equal(dashboardAsset(path), undefined, path);
  }
});

Deno.test("the page has neither inline script nor inline style, and its policy allows none", () => {
  const { body } = dashboardAsset("/")!;
  assert.doesNotMatch(body, /<style|style=|<script(?![^>]*src=)|\son\w+=/);
  assert.doesNotMatch(CONTENT_SECURITY_POLICY, /unsafe|\*|https?:/);
  assert.match(CONTENT_SECURITY_POLICY, /default-src 'none'/);
});

Deno.test("the page refers to no other origin", () => {
  for (const path of ["/", "/dashboard.css"]) {
    assert.doesNotMatch(dashboardAsset(path)!.body, /https?:\/\/|url\(/, path);
  }
});
