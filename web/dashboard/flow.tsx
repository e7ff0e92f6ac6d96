import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { usePage } from "./context.ts";
import { type FlowColours, flowHeight, FlowPicture } from "./flow_picture.ts";
import { formatNumber } from "./format.ts";

/** Clients → balancer → backends, with connections that flow. */
export function Flow() {
  const page = usePage();
  const { dashboard, isDark, hasReducedMotion } = page;
  const canvas = useRef<HTMLCanvasElement>(null);
  const backends = dashboard.snapshot.value?.backends.length ?? 0;
  const height = flowHeight(backends);
  useEffect(() => {
    const element = canvas.current!;
    const context = element.getContext("2d")!;
    const picture = new FlowPicture(context);
    let colours = coloursOf(element, isDark.peek());
    let last = performance.now();
    let request = 0;
    let drawn: unknown;
    const draw = (now: number) => {
      request = requestAnimationFrame(draw);
      const frame = dashboard.latest;
      if (frame === undefined) return;
      const isStill = hasReducedMotion.peek() || dashboard.link.peek().kind !== "connected";
      const size = { width: element.clientWidth, height: element.clientHeight };
      const scale = devicePixelRatio;
      const isResized = fit(element, size, scale);
      // A still picture is drawn once a second at most.
      if (isStill && !isResized && (drawn === colours && now - last < 1000)) return;
      drawn = colours;
      context.setTransform(scale, 0, 0, scale, 0, 0);
      const passed = isStill ? 0 : Math.min(0.1, (now - last) / 1000);
      last = now;
      const limits = dashboard.snapshot.peek()?.backends.map(({ limit }) => limit) ?? [];
      picture.draw(frame, dashboard.refusedPerS.peek(), size, colours, passed, limits);
    };
    request = requestAnimationFrame(draw);
    const end = effect(() => {
      colours = coloursOf(element, isDark.value);
    });
    return () => {
      cancelAnimationFrame(request);
      end();
    };
  }, []);
  return (
    <section aria-labelledby="flow-title">
      <h2 id="flow-title">Traffic</h2>
      <canvas
        ref={canvas}
        class="flow"
        height={height}
        style={{ height: `${height}px` }}
        role="img"
        aria-label="Connections flow from clients through the balancer to the backends. The table below it has the same numbers."
      />
      <details>
        <summary>As a table</summary>
        <FlowTable />
      </details>
    </section>
  );
}

function FlowTable() {
  const { dashboard } = usePage();
  const frame = dashboard.frame.value;
  const snapshot = dashboard.snapshot.value;
  if (frame === undefined || snapshot === undefined) return <p>Nothing yet.</p>;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Traffic as a table">
      <table>
        <thead>
          <tr>
            <th scope="col">From the balancer to</th>
            <th scope="col">Condition</th>
            <th scope="col" class="number">In flight</th>
            <th scope="col" class="number">Per second</th>
          </tr>
        </thead>
        <tbody>
          {frame.backends.map((id, i) => (
            <tr key={id}>
              <th scope="row">{id}</th>
              <td>{snapshot.backends.find((one) => one.id === id)?.condition}</td>
              <td class="number">{formatNumber(frame.backend_in_flight[i])}</td>
              <td class="number">{formatNumber(frame.opened_per_s[i])}</td>
            </tr>
          ))}
          <tr>
            <th scope="row">refused</th>
            <td></td>
            <td></td>
            <td class="number">{formatNumber(dashboard.refusedPerS.value)}</td>
          </tr>
        </tbody>
      </table>
    </div>
  );
}

/** Sets the resolution of a canvas to the pixels of its place. Returns whether it changed. */
function fit(
  element: HTMLCanvasElement,
  { width, height }: { readonly width: number; readonly height: number },
  scale: number,
): boolean {
  const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
  if (element.width === wide && element.height === high) return false;
  element.width = wide;
  element.height = high;
  return true;
}

function coloursOf(element: Element, isDark: boolean): FlowColours {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    isDark,
    text: colour("text"),
    muted: colour("muted"),
    line: colour("line"),
    box: colour("card"),
    good: colour("good"),
    bad: colour("bad"),
  };
}
