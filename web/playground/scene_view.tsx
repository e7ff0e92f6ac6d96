import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { CONDITIONS } from "../../lib/observe/frame.ts";
import { formatNumber } from "../dashboard/mod.ts";
import { AsTable } from "./as_table.tsx";
import { coloursOf } from "./colours.ts";
import { useShared } from "./context.ts";
import type { Update, VariantFrame } from "./protocol.ts";
import { Scene } from "./scene.ts";
import { backendAt, sceneHeight } from "./scene_layout.ts";

const GAP = 20;
/** A click within this distance of a dot means the dot, in pixels. */
const DOT_NEAR = 8;
/** The same inside a backend. */
const DOT_EXACT = 3;
/** The smallest width of a variant. If there is less room, the variants are drawn below each other. */
const WIDTH_MIN = 340;

/** The place of each variant's picture on the canvas. */
function placesOf(
  variants: readonly VariantFrame[],
  width: number,
): { places: { x: number; y: number; width: number }[]; height: number } {
  const columns = Math.max(
    1,
    Math.min(variants.length, Math.floor((width + GAP) / (WIDTH_MIN + GAP))),
  );
  const each = (width - GAP * (columns - 1)) / columns;
  const places: { x: number; y: number; width: number }[] = [];
  let y = 0;
  let highest = 0;
  variants.forEach(({ truth, beliefs }, i) => {
    const column = i % columns;
    if (column === 0 && i > 0) {
      y += highest + 10;
      highest = 0;
    }
    places.push({ x: column * (each + GAP), y, width: each });
    highest = Math.max(highest, sceneHeight(truth.ids.length, beliefs.length, each));
  });
  return { places, height: y + highest };
}

/** The requests on their way, of all variants, on one canvas. */
export function SceneView() {
  const { playground, isDark, hasReducedMotion } = useShared();
  const canvas = useRef<HTMLCanvasElement>(null);
  const flowReason = useSignal("");
  const heightNow = useSignal(260);
  const drawing = useRef<{ at(x: number, y: number): Hit } | undefined>(undefined);
  useEffect(() => {
    const element = canvas.current!;
    const context = element.getContext("2d")!;
    let scenes: Scene[] = [];
    let places: ReturnType<typeof placesOf>["places"] = [];
    let colours = coloursOf(isDark.peek());
    let drawn: Update | undefined;
    let epoch = -1;
    let last = performance.now();
    let request = 0;
    let frames = 0;
    let countedFrom = last;
    let isStale = true;
    // The width is not read for each picture, because the browser would have to lay out the page at
    // once.
    let width = 0;
    const draw = (now: number) => {
      request = requestAnimationFrame(draw);
      const update = playground.latest;
      if (update === undefined || width === 0) return;
      const { variants, run } = update;
      frames++;
      if (now - countedFrom >= 1000) {
        playground.drawn.value = {
          pictures_per_s: Math.round(1000 * frames / (now - countedFrom)),
          dots: scenes.reduce((sum, { dots }) => sum + dots, 0),
        };
        frames = 0;
        countedFrom = now;
      }
      const isStill = hasReducedMotion.peek();
      if (isStill && update === drawn && !isStale) return;
      isStale = false;
      const layout = placesOf(variants, width);
      places = layout.places;
      heightNow.value = layout.height;
      fit(element, width, layout.height);
      if (scenes.length !== variants.length) scenes = variants.map(() => new Scene(context));
      if (run.epoch !== epoch) scenes.forEach((scene) => scene.forget());
      epoch = run.epoch;
      const scale = devicePixelRatio;
      context.setTransform(scale, 0, 0, scale, 0, 0);
      context.clearRect(0, 0, width, layout.height);
      const style = {
        colours,
        isStill,
        isWarmingUp: run.at_ms < (playground.opened.peek()?.warmup_ms ?? 0),
        passed: Math.min(0.1, (now - last) / 1000),
      };
      last = now;
      const names = playground.opened.peek()?.variants ?? [];
      variants.forEach((frame, i) => {
        const { x, y, width } = places[i]!;
        context.setTransform(scale, 0, 0, scale, scale * x, scale * y);
        const name = variants.length > 1 ? names[i]?.name ?? "" : "";
        scenes[i]!.draw(frame, width, name, update !== drawn, style);
      });
      // The browser paints after this function and before the next task.
      if (drawn === undefined) setTimeout(() => playground.painted());
      drawn = update;
      flowReason.value = scenes.map((scene) => scene.flowReason).find((words) => words !== "") ??
        "";
    };
    request = requestAnimationFrame(draw);
    const end = effect(() => {
      colours = coloursOf(isDark.value);
      isStale = true;
    });
    const resize = new ResizeObserver(() => {
      width = element.clientWidth;
      isStale = true;
    });
    resize.observe(element);
    drawing.current = {
      at(x, y) {
        const variant = places.findLastIndex((place) => x >= place.x && y >= place.y);
        const scene = scenes[variant];
        const place = places[variant];
        if (scene === undefined || place === undefined) return {};
        const [inX, inY] = [x - place.x, y - place.y];
        const index = backendAt(scene.layout, inX, inY);
        // A backend is easy to hit although dots are in it: only a click on a dot itself means the dot.
        const dot = scene.dotAt(inX, inY, index === undefined ? DOT_NEAR : DOT_EXACT);
        const backend = index === undefined
          ? undefined
          : drawn?.variants[variant]?.truth.ids[index];
        return {
          variant,
          ...dot !== undefined && { dot },
          ...backend !== undefined && { backend },
        };
      },
    };
    return () => {
      cancelAnimationFrame(request);
      resize.disconnect();
      end();
    };
  }, []);
  const hit = ({ offsetX, offsetY }: MouseEvent) => drawing.current?.at(offsetX, offsetY) ?? {};
  return (
    <section aria-labelledby="scene-title" class="scene">
      <h2 id="scene-title" class="unseen">Requests</h2>
      <canvas
        ref={canvas}
        style={{ height: `${heightNow}px` }}
        role="img"
        aria-label="Requests travel from clients through balancers to backends. The table below has the same numbers; the buttons below it choose a backend."
        onClick={(event) => {
          const { variant, dot, backend } = hit(event);
          if (variant !== undefined) playground.variant.value = variant;
          if (dot !== undefined && playground.isPaused.value) {
            void playground.explain(variant!, dot);
          } else if (backend !== undefined) {
            void playground.toggleFault(backend);
          }
        }}
        onMouseMove={(event) => {
          const { dot, backend } = hit(event);
          event.currentTarget.style.cursor = backend !== undefined ||
              dot !== undefined && playground.isPaused.peek()
            ? "pointer"
            : "default";
        }}
      />
      <Legend />
      <p class="flow-note" role="status" hidden={flowReason.value === ""}>{flowReason}</p>
      <AsTable>{() => <SceneTable />}</AsTable>
    </section>
  );
}

interface Hit {
  readonly variant?: number;
  readonly dot?: number;
  readonly backend?: string;
}

function fit(element: HTMLCanvasElement, width: number, height: number): void {
  const [wide, high] = [width, height].map((length) => Math.round(length * devicePixelRatio));
  if (element.width !== wide!) element.width = wide!;
  if (element.height !== high!) element.height = high!;
}

function Legend() {
  const { pictures_per_s, dots } = useShared().playground.drawn.value;
  return (
    <ul class="legend scene-legend">
      <li>
        <span class="fill up" /> fill: what the balancer believes
      </li>
      <li>
        <span class="outline broken" /> outline: what is true
      </li>
      <li>
        <Form kind="dot" colour="accent" /> on its way or in service
      </li>
      <li>
        <Form kind="dot" colour="warn" /> waits
      </li>
      <li>
        <Form kind="answer" colour="good" /> answer
      </li>
      <li>
        <Form kind="cross" colour="bad" /> error or retry
      </li>
      <li>
        <Form kind="square" colour="bad" /> gets no answer
      </li>
      <li class="muted" data-pictures-per-s={pictures_per_s} data-dots={dots}>
        {pictures_per_s} pictures/s, {formatNumber(dots)} dots
      </li>
    </ul>
  );
}

function Form({ kind, colour }: { readonly kind: string; readonly colour: string }) {
  return (
    <svg width="12" height="12" class={colour} aria-hidden="true">
      {kind === "dot" && <circle cx="6" cy="6" r="4" fill="currentColor" />}
      {kind === "answer" && <path d="M1 6L10 2V10Z" fill="currentColor" />}
      {kind === "cross" && <path d="M2 2L10 10M10 2L2 10" stroke="currentColor" stroke-width="2" />}
      {kind === "square" && <rect x="2" y="2" width="8" height="8" fill="currentColor" />}
    </svg>
  );
}

/** The numbers that the canvas shows, as a table. */
function SceneTable() {
  const { playground } = useShared();
  const names = playground.opened.value?.variants ?? [];
  return (
    <>
      {playground.frames.value.map(({ truth, beliefs, counts, dots_total, algorithm }, v) => {
        const title = names[v]?.name || algorithm;
        return (
          <div
            key={v}
            class="scroll"
            tabIndex={0}
            role="region"
            aria-label={`Requests of ${title}`}
          >
            <table>
              <caption>
                {title}: {formatNumber(dots_total)} requests under way, {formatNumber(counts.done)}
                {" "}
                done, {formatNumber(counts.failed)} failed, {formatNumber(counts.refused)} refused,
                {" "}
                {formatNumber(counts.timed_out)} timed out, {formatNumber(counts.retried)}{" "}
                tried again
              </caption>
              <thead>
                <tr>
                  <th scope="col">Backend</th>
                  <th scope="col">Believed state</th>
                  <th scope="col">True state</th>
                  <th scope="col" class="number">In flight</th>
                  <th scope="col" class="number">Busy slots</th>
                  <th scope="col" class="number">In its queue</th>
                </tr>
              </thead>
              <tbody>
                {truth.ids.map((id, i) => (
                  <tr key={id}>
                    <th scope="row">{id}</th>
                    <td>
                      {beliefs.map(({ condition }) => CONDITIONS[condition[i]!] ?? "not configured")
                        .filter((words, k, all) => all.indexOf(words) === k).join(" or ")}
                    </td>
                    <td>{truth.faults[i] || "no fault"}</td>
                    <td class="number">
                      {formatNumber(beliefs.reduce((sum, one) => sum + one.in_flight[i]!, 0))}
                    </td>
                    <td class="number">
                      {truth.busy[i]} of {Number.isFinite(truth.slots[i]!) ? truth.slots[i] : "∞"}
                    </td>
                    <td class="number">{truth.waiting[i]}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        );
      })}
    </>
  );
}
