import type * as z from "zod";
import { type Api, type ApiAnswer, type ApiRequest, failure } from "./server.ts";

/** Answers a request of one path and method; the parameters are the parts of the path that vary. */
export type Handler = (
  request: ApiRequest,
  ...parameters: readonly string[]
) => ApiAnswer | Promise<ApiAnswer>;

/** The handlers of an API, by path and method; `{}` in a path is a parameter. */
export type Routes = Readonly<Record<string, Readonly<Record<string, Handler>>>>;

/** A request that is invalid, names something that does not exist, or cannot be done now. */
export class BadRequest extends Error {
  readonly status: number;

  constructor(message: string, status = 400) {
    super(message);
    this.status = status;
  }
}

/**
 * An API with these routes.
 *
 * @param streams The paths whose answers have no end, so that HEAD is not possible.
 */
export function routed(routes: Routes, streams: readonly string[] = []): Api {
  const patterns = Object.entries(routes).map(([path, methods]) => ({
    pattern: new RegExp(`^${path.replaceAll("{}", "([^/]+)")}$`),
    methods,
  }));
  return async (request) => {
    const { path, method } = request;
    for (const { pattern, methods } of patterns) {
      const match = pattern.exec(path);
      if (match === null) continue;
      const isHead = method === "HEAD" && !streams.includes(path);
      const handler = methods[isHead ? "GET" : method];
      if (handler === undefined) {
        const allowed = Object.keys(methods).join(", ");
        const error = `${method} is not possible here; possible: ${allowed}`;
        return { ...failure(405, error), headers: { "Allow": allowed } };
      }
      try {
        return await handler(request, ...match.slice(1).map(decoded));
      } catch (error) {
        if (error instanceof BadRequest) return failure(error.status, error.message);
        throw error;
      }
    }
    return failure(404, "there is nothing at this path");
  };
}

/** An answer in JSON. */
export function json(value: unknown): ApiAnswer {
  return { status: 200, text: `${JSON.stringify(value)}\n` };
}

/**
 * The body of a request, which is JSON.
 *
 * @throws {BadRequest} if it is not JSON, or does not satisfy the schema.
 */
export function bodyOf<Schema extends z.ZodType>(
  schema: Schema,
  { body }: ApiRequest,
): z.output<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new BadRequest("the body is not JSON");
  }
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  const [issue] = error.issues;
  const where = issue!.path.length === 0 ? "" : `${issue!.path.join(".")}: `;
  throw new BadRequest(`${where}${issue!.message}`);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new BadRequest("the percent-encoding in the path is not valid");
  }
}
