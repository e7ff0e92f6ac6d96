import assert from "node:assert/strict";
import openapi from "../../../docs/openapi.json" with { type: "json" };
import { adminLab, ask } from "../../support/admin.ts";

/** A request for each operation. `ask` compares every answer with the description. */
const CALLS: readonly [method: string, path: string, body?: unknown][] = [
  ["get", "/api/status"],
  ["get", "/api/sessions"],
  ["get", "/api/config"],
  ["get", "/metrics"],
  ["get", "/healthz"],
  ["get", "/readyz"],
  ["put", "/api/backends/{id}/state", { state: "drain" }],
  ["delete", "/api/backends/{id}/state"],
  ["put", "/api/backends/{id}/weight", { weight: 3 }],
  ["delete", "/api/backends/{id}/weight"],
  ["put", "/api/algorithm", { algorithm: { name: "peak-ewma", decay: "5s" } }],
  ["delete", "/api/algorithm"],
  ["delete", "/api/wishes"],
  ["delete", "/api/sessions"],
  ["delete", "/api/sessions/{client}"],
  ["post", "/api/reload", {}],
  ["post", "/api/explain", { client: "10.0.0.1" }],
];

/** These operations need a backend with an admin API; tests/lb/admin/faults_test.ts tests them. */
const FAULTS = ["get", "put", "delete"].map((method) => `${method} /api/backends/{id}/fault`);

/** The operations of a backend's own API; tests/backend/admin_test.ts compares the answers with the description. */
const OF_BACKENDS = ["/api/fault", "/api/service"].flatMap((path) =>
  ["get", "put", "delete"].map((method) => `${method} ${path}`)
);

/** The answers of these operations have no end. */
const STREAMS = ["get /api/events", "get /api/frames"];

Deno.test("the OpenAPI description has every operation, and no other", async () => {
  const described = Object.entries(openapi.paths).flatMap(([path, methods]) =>
    Object.keys(methods).filter((key) => key !== "servers").map((method) => `${method} ${path}`)
  );
  const called = CALLS.map(([method, path]) => `${method} ${path}`);
  assert.deepEqual(
    described.toSorted(),
    [...called, ...FAULTS, ...OF_BACKENDS, ...STREAMS].toSorted(),
  );
  await using lab = await adminLab();
  for (const path of Object.keys(openapi.paths)) {
    if (OF_BACKENDS.includes(`get ${path}`)) continue;
    const answer = await ask(`${lab.url}${path.replaceAll(/\{\w+\}/g, "B1")}`, {
      method: "PATCH",
      headers: { "Content-Type": "application/json", "Authorization": `Bearer ${lab.token}` },
    });
    const allowed = Object.keys(openapi.paths[path as keyof typeof openapi.paths])
      .map((method) => method.toUpperCase()).join(", ");
    assert.equal(answer.headers.get("Allow"), allowed, path);
  }
});

for (const [method, path, body] of CALLS) {
  Deno.test(`${method.toUpperCase()} ${path} answers as the OpenAPI description says`, async () => {
    await using lab = await adminLab();
    const { status } = await lab.change(
      method.toUpperCase(),
      path.replaceAll(/\{\w+\}/g, "B1"),
      body,
    );
    assert.equal(status, 200);
    // Without the token, only reading is possible.
    const open = await ask(`${lab.url}${path.replaceAll(/\{\w+\}/g, "B1")}`, {
      method: method.toUpperCase(),
      headers: { "Content-Type": "application/json" },
    });
    assert.equal(open.status, method === "get" ? 200 : 401);
  });
}
