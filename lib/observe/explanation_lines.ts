import { aligned } from "../base/mod.ts";
import type { ExplainedBackend, PickExplained } from "../core/mod.ts";

/**
 * The backend of a client, and the reason, as lines: a sentence, and the candidates with the values that the
 * algorithm compared.
 */
export function explanationLines(
  { client, backend, rule, candidates }: Omit<PickExplained, "at_ms" | "type" | "connection">,
): string[] {
  const cells = candidates.map((candidate) => [
    candidate.backend,
    String(candidate.weight),
    String(candidate.in_flight),
    candidate.score === undefined ? "-" : String(Number(candidate.score.toPrecision(6))),
  ]);
  const lines = aligned([["backend", "weight", "in flight", "score"], ...cells]);
  const verdicts = ["", ...candidates.map((candidate) => verdict(candidate, backend))];
  return [
    backend === null
      ? `${client} gets no backend: ${rule}`
      : `${client} goes to ${backend}: ${rule}`,
    "",
    ...lines.map((line, i) => `${line}  ${verdicts[i]}`.trimEnd()),
  ];
}

function verdict({ backend, unavailable }: ExplainedBackend, picked: string | null): string {
  if (backend === picked) return "picked";
  return unavailable === undefined ? "" : `not available: ${unavailable}`;
}
