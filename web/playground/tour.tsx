import { useEffect } from "preact/hooks";
import { useShared } from "./context.ts";
import type { Playground } from "./playground.ts";

/** A stop of the tour: a sentence, an action, and the duration of the stop. */
interface Stop {
  readonly text: string;
  readonly seconds: number;
  readonly act?: (playground: Playground) => Promise<unknown> | void;
}

const STOPS: readonly Stop[] = [
  {
    text:
      "Each dot is a request. It travels from a client through the balancer to a backend, waits, is served and returns.",
    seconds: 9,
    act: async (playground) => {
      location.hash = "#example=gray-failure";
      await playground.play(0.1);
    },
  },
  {
    text:
      "The variants get the same requests at the same times. Only the algorithm differs. Below, their latencies grow.",
    seconds: 8,
    act: (playground) => playground.play(1),
  },
  {
    text:
      "B2 crashes now. Its outline shows the true state, and changes at once. Its fill shows what the balancer believes, and does not change yet.",
    seconds: 10,
    act: async (playground) => {
      await playground.play(0.3);
      await playground.change({ kind: "break", backend: "B2", fault: "crash" });
    },
  },
  {
    text:
      "Until the probes have failed often enough, requests are still sent to B2. This gap is the detection.",
    seconds: 9,
    act: (playground) => playground.play(1),
  },
  {
    text: "B2 is repaired. Its fill follows when the probes succeed again.",
    seconds: 8,
    act: (playground) => playground.change({ kind: "repair" }),
  },
  {
    text:
      "You can go back in time: drag the time line. The run repeats exactly, with everything that you did.",
    seconds: 8,
    act: async (playground) => {
      const now = playground.latest?.run.at_ms ?? 0;
      await playground.seek(Math.max(0, now - 8000));
    },
  },
  {
    text:
      "Step to the next pick, and the page explains it: the candidates, their numbers and the rule.",
    seconds: 8,
    act: (playground) => playground.step("pick"),
  },
  {
    text: "Now it is your turn: open a lesson, or click a backend to break it.",
    seconds: 60,
  },
];

/** A tour of one minute. It can be ended at any time. */
export function Tour() {
  const { playground, tour } = useShared();
  const at = tour.value;
  const stop = at === undefined ? undefined : STOPS[at];
  useEffect(() => {
    if (stop === undefined) return;
    void stop.act?.(playground);
    const timer = setTimeout(() => {
      tour.value = at! + 1 < STOPS.length ? at! + 1 : undefined;
    }, 1000 * stop.seconds);
    return () => clearTimeout(timer);
  }, [at]);
  if (stop === undefined) return null;
  return (
    <aside class="tour" aria-label="Tour">
      <p role="status">{stop.text}</p>
      <div class="actions">
        <span class="muted">{at! + 1} of {STOPS.length}</span>
        {at! + 1 < STOPS.length && (
          <button type="button" onClick={() => tour.value = at! + 1}>Next</button>
        )}
        <button type="button" onClick={() => tour.value = undefined}>End the tour</button>
      </div>
    </aside>
  );
}
