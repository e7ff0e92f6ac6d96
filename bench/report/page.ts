import {
  bothSheets,
  coursePlot,
  figureOf,
  latencyPlot,
  listOf,
  pageOf,
  percent,
  plain,
  tableOf,
  type VariantPlots,
} from "../../lib/report/mod.ts";
import { type ErrorKind, ERRORS, SLICE, type Tally } from "../core/mod.ts";
import { type BenchResult, PERCENTILES } from "./result.ts";
import { ms } from "./text.ts";

/** More points than this cannot be distinguished in a plot. */
const SLICES_MAX = 200;

/** The result as one HTML page without other files. */
export async function resultPage(result: BenchResult, tally: Tally): Promise<string> {
  const { target, load, loop, latency_ms, lag_ms, backends, errors_by_kind } = result;
  const isOpen = loop === "open";
  const course = courseOf(tally);
  const plots = [
    { name: isOpen ? "corrected" : "latency", sojourn: tally.corrected, course },
    ...isOpen ? [{ name: "uncorrected", sojourn: tally.uncorrected, course }] : [],
  ] satisfies VariantPlots[];
  const names = ["mean", ...PERCENTILES.map(([name]) => name), "max"] as const;
  const hasAnswers = result.answers > 0;
  return pageOf({
    title: `lbsim bench ${target}`,
    facts: [load, `${result.payload} requests`, `seed ${result.seed}`, `lbsim ${result.lbsim}`]
      .join(" · "),
    sections: [
      {
        id: "result",
        heading: "Result",
        body: tableOf(["", "number", "per second"], [
          ["requests", `${result.offered}`, plain(result.offered_per_s)],
          ["answers", `${result.answers}`, plain(result.answers_per_s)],
          ["errors", `${result.errors}`, ""],
          ["unfinished", `${result.unfinished}`, ""],
          ["connections opened", `${result.connections_opened}`, ""],
        ]) + listOf(result.warnings, "warning"),
      },
      {
        id: "latency",
        heading: "Latency",
        body: (hasAnswers
          ? figureOf(
            "Share of requests that took longer",
            await bothSheets((sheet) => latencyPlot(plots, sheet)),
          )
          : "") +
          tableOf(
            ["", ...isOpen ? ["corrected", "uncorrected", "lag of the generator"] : ["latency"]],
            names.map((name) => [
              name.replace("_", "."),
              ms(latency_ms.corrected[name]),
              ...isOpen ? [ms(latency_ms.uncorrected[name]), ms(lag_ms[name])] : [],
            ]),
          ),
      },
      ...hasAnswers
        ? [{
          id: "course",
          heading: "Over time",
          body: figureOf(
            "Mean latency and errors",
            await bothSheets((sheet) => coursePlot(plots[0]!, undefined, sheet)),
          ),
        }]
        : [],
      ...backends.length === 0 ? [] : [{
        id: "backends",
        heading: "Backends",
        body: tableOf(
          ["backend", "answers", "share"],
          backends.map(({ id, answers, share }) => [id, `${answers}`, percent(share)]),
        ),
      }],
      ...result.errors === 0 ? [] : [{
        id: "errors",
        heading: "Errors",
        body: tableOf(
          ["kind", "number", "meaning"],
          Object.entries(errors_by_kind).map(([kind, count]) => [
            kind,
            `${count}`,
            ERRORS[kind as ErrorKind],
          ]),
        ),
      }],
    ],
    foot: isOpen
      ? "Corrected latencies count from the planned start of a request, uncorrected ones from the time at which it was sent."
      : "Each client waits for its answer before its next request.",
  });
}

function courseOf(tally: Tally): VariantPlots["course"] {
  const slices = tally.slices();
  const merged = Math.max(1, Math.ceil(slices.length / SLICES_MAX));
  const parts = Array.from(
    { length: Math.ceil(slices.length / merged) },
    (_, i) => slices.slice(i * merged, (i + 1) * merged),
  );
  return {
    interval: merged * SLICE,
    meanSojourn: parts.map((part) => {
      const answers = part.reduce((sum, slice) => sum + slice.answers, 0);
      if (answers === 0) return null;
      return part.reduce(
        (sum, slice) => sum + (slice.answers === 0 ? 0 : slice.meanLatency * slice.answers),
        0,
      ) / answers;
    }),
    errors: parts.map((part) => part.reduce((sum, slice) => sum + slice.errors, 0)),
    backends: [],
    faults: [],
  };
}
