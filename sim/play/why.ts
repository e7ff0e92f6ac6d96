import type { ExplainedPick } from "./shown_run.ts";
import type { Why } from "./types.ts";

/** An explained pick, for the page. */
export function whyOf(variant: number, { balancer, event, details }: ExplainedPick): Why {
  const { at_ms, client, backend, rule, candidates } = event;
  return { variant, balancer, at_ms, client, backend, rule, candidates, details };
}
