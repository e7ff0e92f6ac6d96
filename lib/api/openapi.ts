import * as z from "zod";
import { VERSION } from "../base/mod.ts";
import {
  algorithmBody,
  explainBody,
  faultBody,
  serviceBody,
  stateBody,
  weightBody,
} from "./bodies.ts";
import * as answers from "./answers.ts";

type Json = Record<string, unknown>;

interface Operation {
  readonly summary: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: z.ZodType;
  /** The schema of the answer if the request succeeds; a string is a content type other than JSON. */
  readonly answer: z.ZodType | string;
  /** Refusals besides those that every operation may have. */
  readonly refusals?: readonly number[];
}

const TEXT = "text/plain";
const STREAM = "text/event-stream";

const withdrawn = (
  what: string,
  summary = `Withdraw the wish for ${what}: the value of the file applies again`,
): Operation => ({
  summary,
  answer: answers.wishes,
  refusals: [404, 409],
});

/** The operations of a path, by method. */
type Path = Readonly<Record<string, Operation>>;

/** The requests about the faults of a backend, and their answers. */
function faultsOf(refusals: readonly number[]): Path {
  return {
    get: { summary: "The faults that the backend has now", answer: answers.faults, refusals },
    put: {
      summary: "Begin a fault; it replaces a fault of the same kind, and other faults stay",
      body: faultBody,
      answer: answers.faults,
      refusals: [400, ...refusals],
    },
    delete: { summary: "End all faults", answer: answers.faults, refusals },
  };
}

/** The admin API of the balancer, by path. */
const OPERATIONS: Readonly<Record<string, Path>> = {
  "/api/status": { get: { summary: "The state of the balancer", answer: answers.status } },
  "/api/sessions": {
    get: {
      summary: "The session map",
      query: {
        limit: "the largest number of sessions in the answer, 1 to 10000; 100 if left out",
        client: "only the session of this address",
      },
      answer: answers.sessions,
      refusals: [400],
    },
    delete: { summary: "End all sessions; connections continue", answer: answers.ended },
  },
  "/api/sessions/{client}": {
    delete: {
      summary: "End the session of a client; its connections continue",
      answer: answers.ended,
    },
  },
  "/api/events": {
    get: {
      summary:
        "Events as they happen, as server-sent events. With the header Last-Event-ID, the events after that one come first",
      query: {
        connections: "true: events of single connections, too",
        last_event_id: "the same as the header Last-Event-ID, for readers that cannot set headers",
      },
      answer: STREAM,
      refusals: [503],
    },
  },
  "/api/frames": {
    get: {
      summary:
        "Ten times a second, the present numbers for charts (a frame), as server-sent events",
      answer: STREAM,
      refusals: [503],
    },
  },
  "/api/config": {
    get: {
      summary: "The configuration in use, and the configuration in the file",
      answer: answers.config,
    },
  },
  "/api/backends/{id}/state": {
    put: {
      summary: "Set a backend to ready, drain or maintenance",
      body: stateBody,
      answer: answers.wishes,
      refusals: [400, 404, 409],
    },
    delete: withdrawn("the state of a backend"),
  },
  "/api/backends/{id}/weight": {
    put: {
      summary: "Set the weight of a backend",
      body: weightBody,
      answer: answers.wishes,
      refusals: [400, 404, 409],
    },
    delete: withdrawn("the weight of a backend"),
  },
  "/api/backends/{id}/fault": faultsOf([404, 409, 502]),
  "/api/algorithm": {
    put: {
      summary: "Set the algorithm, as in config.yaml",
      body: algorithmBody,
      answer: answers.wishes,
      refusals: [400, 409],
    },
    delete: withdrawn("the algorithm"),
  },
  "/api/wishes": {
    delete: withdrawn("all", "Withdraw all wishes: the values of the file apply again"),
  },
  "/api/reload": {
    post: { summary: "Read the configuration again", answer: answers.reloaded, refusals: [409] },
  },
  "/api/explain": {
    post: {
      summary: "Which backend a client would get now, and why",
      body: explainBody,
      answer: answers.explained,
      refusals: [400, 409],
    },
  },
  "/metrics": { get: { summary: "Metrics for Prometheus", answer: TEXT } },
  "/healthz": { get: { summary: "200 while the process runs", answer: TEXT } },
  "/readyz": {
    get: {
      summary: "200 while at least one backend is active; otherwise 503",
      answer: TEXT,
      refusals: [503],
    },
  },
};

/** The admin API of a backend, by path. */
const BACKEND_OPERATIONS: Readonly<Record<string, Path>> = {
  "/api/fault": faultsOf([]),
  "/api/service": {
    get: {
      summary: "Whether the backend serves a scenario, and how busy it was",
      answer: answers.service,
    },
    put: {
      summary:
        "Begin to serve the requests of a scenario; each request contains its service time. A repeated request with the same settings only extends the time",
      body: serviceBody,
      answer: answers.service,
      refusals: [400, 409],
    },
    delete: { summary: "Stop serving the scenario", answer: answers.service },
  },
};

const REFUSALS: Readonly<Record<number, string>> = {
  400: "The request cannot be understood",
  401: "The token is missing or wrong",
  403:
    "The request comes from a page of another site, or there is no token file, so nothing can be changed",
  404: "The path, the backend or the client does not exist",
  405: "The path has no such method",
  409: "The configuration does not allow this",
  413: "The body is too long",
  415: "The body is not application/json",
  421: "The API does not serve this Host",
  502: "The backend does not answer, or refuses",
  503: "Not possible at the moment; the answer gives the reason",
};

/** The OpenAPI 3.1 description of the admin API. */
export function openApi(): Json {
  return {
    openapi: "3.1.0",
    info: {
      title: "lbsim admin API",
      version: VERSION,
      license: { name: "MIT", identifier: "MIT" },
      description:
        "Shows the state of the balancer, and changes it. A backend can have an admin API of its own, " +
        "which injects faults and can serve the requests of a scenario. The name of each quantity contains the unit.",
    },
    servers: [{ url: "http://127.0.0.1:9900" }],
    paths: {
      ...pathsOf(OPERATIONS),
      ...pathsOf(BACKEND_OPERATIONS, {
        servers: [{
          url: "http://127.0.0.1:9901",
          description: "The admin API of a backend: `admin` of its entry in `backends`",
        }],
      }),
    },
    components: {
      schemas: { Failure: schemaOf(answers.failed) },
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
    },
  };
}

function pathsOf(operations: Readonly<Record<string, Path>>, more: Json = {}): Json {
  return Object.fromEntries(
    Object.entries(operations).map(([path, methods]) => [path, {
      ...more,
      ...Object.fromEntries(
        Object.entries(methods).map(([method, operation]) => [
          method,
          described(path, method, operation),
        ]),
      ),
    }]),
  );
}

function described(
  path: string,
  method: string,
  { summary, query = {}, body, answer, refusals = [] }: Operation,
): Json {
  const isChange = method !== "get";
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const inQuery = Object.entries(query).map(([name, description]) => ({
    name,
    in: "query",
    description,
    schema: { type: "string" },
  }));
  const parameters = [...inPath, ...inQuery];
  const statuses = [...refusals, 401, 403, 421, ...isChange ? [413, 415] : []];
  return {
    operationId: [method, ...path.split("/").filter((part) => part !== "")]
      .map((part) => part.replaceAll(/[{}]/g, "")).join("_"),
    summary,
    // Reading needs the token only beyond loopback.
    security: isChange ? [{ token: [] }] : [{}, { token: [] }],
    ...parameters.length > 0 && { parameters },
    ...body !== undefined && {
      requestBody: {
        required: true,
        content: { "application/json": { schema: schemaOf(body, "input") } },
      },
    },
    responses: {
      200: {
        description: "Success",
        content: typeof answer === "string"
          ? { [answer]: { schema: { type: "string" } } }
          : { "application/json": { schema: schemaOf(answer) } },
      },
      ...Object.fromEntries(
        statuses.toSorted((a, b) => a - b).map((status) => [status, {
          description: REFUSALS[status],
          content: status === 503 && answer === TEXT
            ? { [TEXT]: { schema: { type: "string" } } }
            : { "application/json": { schema: { $ref: "#/components/schemas/Failure" } } },
        }]),
      ),
    },
  };
}

/** Converts to JSON Schema 2020-12, which OpenAPI 3.1 contains. */
function schemaOf(schema: z.ZodType, io: "input" | "output" = "output"): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, target: "draft-2020-12" });
  return rest;
}
