import { CONDITIONS } from "../../lib/observe/frame.ts";
import { formatNumber, SIGNS } from "../dashboard/mod.ts";
import type { Colours } from "./colours.ts";
import { Flock, type Look } from "./flock.ts";
import type { Beliefs, Truth, VariantFrame } from "./protocol.ts";
import { type Box, layoutOf, type SceneLayout } from "./scene_layout.ts";
import { slotPlace } from "./slot_place.ts";

/** The condition of a backend that is not in the configuration of a balancer. */
const UNCONFIGURED = 255;
/** A backend's slots are drawn one by one up to this number. */
const SLOTS_MAX = 24;
/** If the share of dots that were in the previous frame is smaller than this, the eye cannot follow them. */
const FOLLOWED_MIN = 0.25;

/** Options for drawing a picture. */
export interface SceneStyle {
  readonly colours: Colours;
  readonly isStill: boolean;
  /** Whether the warm-up has not ended: its requests are not counted. */
  readonly isWarmingUp: boolean;
  /** The seconds since the previous picture. */
  readonly passed: number;
}

/** The picture of one variant: clients, balancers, backends and the requests between them. */
export class Scene {
  readonly #context: CanvasRenderingContext2D;
  readonly #flock = new Flock();
  #layout: SceneLayout = layoutOf(1, 1, 600);
  #flowing = 0;
  #isFlow = false;
  #followed = 1;
  #hasJumped = false;

  constructor(context: CanvasRenderingContext2D) {
    this.#context = context;
  }

  get layout(): SceneLayout {
    return this.#layout;
  }

  /** Whether the last picture showed flows in place of dots, and why; empty if it showed dots. */
  get flowReason(): string {
    if (!this.#isFlow) return "";
    return this.#followed < FOLLOWED_MIN
      ? "Requests end too soon to be seen as dots: lines show their flow."
      : "There are too many requests to draw each: lines show their flow.";
  }

  /** How many dots the last picture showed. */
  get dots(): number {
    return this.#isFlow ? 0 : this.#flock.size;
  }

  /** The number of the dot at a point; undefined if there is none. */
  dotAt(x: number, y: number, within: number): number | undefined {
    return this.#isFlow ? undefined : this.#flock.at(x, y, within);
  }

  /** Removes all dots, because the time has jumped. */
  forget(): void {
    this.#flock.forget();
    this.#hasJumped = true;
  }

  /** Draws at the origin of the canvas, with this width. */
  draw(frame: VariantFrame, width: number, name: string, isNew: boolean, style: SceneStyle): void {
    const { truth, beliefs, dots } = frame;
    const { colours, isStill, passed } = style;
    this.#layout = layoutOf(truth.ids.length, beliefs.length, width);
    if (isNew && dots !== null) {
      const followed = this.#flock.take(dots, this.#layout);
      // After a jump all dots are new, so their share says nothing about how long requests last.
      if (!this.#hasJumped) this.#followed += 0.15 * (followed - this.#followed);
      this.#hasJumped = false;
    }
    // The bound depends on the present form, so that the picture does not flicker between its two
    // forms.
    this.#isFlow = dots === null ||
      this.#followed < (this.#isFlow ? 1.6 * FOLLOWED_MIN : FOLLOWED_MIN);
    if (!isStill) this.#flowing += passed;
    this.#title(name, frame, style);
    this.#edges(frame, colours);
    truth.ids.forEach((_, i) => this.#backend(i, truth, beliefs, colours));
    if (!this.#isFlow) {
      this.#flock.move(isStill ? Infinity : passed);
      this.#flock.draw(this.#context, lookOf(colours));
    }
    // Clients and balancers are drawn last, so that requests pass behind them.
    this.#clients(frame, style);
    beliefs.forEach((belief, i) => this.#balancer(i, belief, frame, colours));
  }

  #title(
    name: string,
    { algorithm, dots_total, counts }: VariantFrame,
    { colours, isWarmingUp }: SceneStyle,
  ): void {
    const context = this.#context;
    const { width } = this.#layout;
    context.textBaseline = "middle";
    context.textAlign = "left";
    context.font = "600 14px system-ui, sans-serif";
    context.fillStyle = colours.text;
    const title = name === "" ? algorithm : name;
    const titleWidth = Math.min(context.measureText(title).width, 0.5 * width);
    context.fillText(title, 2, 12, titleWidth);
    context.textAlign = "right";
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = colours.muted;
    const errors = counts.failed + counts.refused + counts.timed_out;
    const measured = isWarmingUp
      ? "warm-up"
      : `${formatNumber(counts.done)} done · ${formatNumber(errors)} errors`;
    const words = `${formatNumber(dots_total)} under way · ${measured}`;
    context.fillText(words, width - 4, 12, width - titleWidth - 16);
  }

  #edges({ flows, beliefs, truth }: VariantFrame, colours: Colours): void {
    const context = this.#context;
    const { clients, balancers, backends } = this.#layout;
    /** The lines without requests. They look alike, so they are drawn together. */
    const still = new Path2D();
    context.lineCap = "round";
    context.globalAlpha = 0.75;
    context.setLineDash([6, 8]);
    balancers.forEach((box, i) => {
      this.#way(
        [clients.x + clients.width, clients.y + clients.height / 2],
        [box.x, box.y + box.height / 2],
        flows.to_balancer[i] ?? 0,
        colours.accent,
        still,
      );
      backends.forEach((target, k) => {
        const rate = flows.to_backend[i * truth.ids.length + k] ?? 0;
        const condition = beliefs[i]?.condition[k] ?? UNCONFIGURED;
        if (condition === UNCONFIGURED && rate === 0) return;
        const isUp = (beliefs[i]?.available[k] ?? 0) === 1;
        this.#way(
          [box.x + box.width, box.y + box.height / 2],
          [target.x, target.y + target.height / 2],
          rate,
          isUp ? colours.accent : colours.muted,
          still,
        );
      });
    });
    context.setLineDash([]);
    context.globalAlpha = 0.4;
    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    context.stroke(still);
    context.globalAlpha = 1;
  }

  /** Draws a line with requests, or adds it to the lines without requests. */
  #way(
    [x0, y0]: readonly [number, number],
    [x1, y1]: readonly [number, number],
    rate: number,
    colour: string,
    still: Path2D,
  ): void {
    const context = this.#context;
    const middle = (x0 + x1) / 2;
    if (!this.#isFlow || rate === 0) {
      still.moveTo(x0, y0);
      still.bezierCurveTo(middle, y0, middle, y1, x1, y1);
      return;
    }
    context.strokeStyle = colour;
    context.lineWidth = 1 + Math.min(6, Math.log2(1 + rate) / 2);
    // Dashes move faster with the rate, up to what the eye can follow.
    context.lineDashOffset = -this.#flowing * Math.min(90, 20 + 8 * Math.log2(1 + rate));
    context.beginPath();
    context.moveTo(x0, y0);
    context.bezierCurveTo(middle, y0, middle, y1, x1, y1);
    context.stroke();
  }

  #clients({ counts }: VariantFrame, { colours, isWarmingUp }: SceneStyle): void {
    const { clients } = this.#layout;
    this.#box(clients, colours.card, colours.line, 1.5, []);
    this.#words(clients, "clients", isWarmingUp ? "" : formatNumber(counts.offered), colours);
  }

  #balancer(
    i: number,
    { listening, waiting }: Beliefs,
    frame: VariantFrame,
    colours: Colours,
  ): void {
    const box = this.#layout.balancers[i]!;
    this.#box(
      box,
      colours.card,
      listening ? colours.text : colours.bad,
      listening ? 1.5 : 2.5,
      listening ? [] : [4, 3],
    );
    const name = frame.beliefs.length === 1 ? "balancer" : `LB${i + 1}`;
    const detail = !listening ? "✕ stopped" : waiting > 0 ? `${formatNumber(waiting)} wait` : "";
    this.#words(box, name, detail, colours);
  }

  /** Draws a backend. Its fill shows its state as the balancers see it, its outline the true state. */
  #backend(
    i: number,
    truth: Truth,
    beliefs: readonly Beliefs[],
    colours: Colours,
  ): void {
    const context = this.#context;
    const box = this.#layout.backends[i]!;
    const isGone = truth.configured[i] === 0;
    context.globalAlpha = isGone ? 0.45 : 1;
    context.fillStyle = colours.card;
    context.fillRect(box.x, box.y, box.width, box.height);
    const strip = box.width / beliefs.length;
    beliefs.forEach(({ condition }, k) => {
      const colour = beliefColour(condition[i]!, colours);
      if (colour === undefined) return;
      context.globalAlpha = (isGone ? 0.3 : 1) * (colours.isDark ? 0.4 : 0.26);
      context.fillStyle = colour;
      context.fillRect(box.x + k * strip, box.y, strip, box.height);
    });
    context.globalAlpha = isGone ? 0.45 : 1;
    this.#slots(i, box, truth, colours);
    const state = truth.state[i]!;
    const isDead = (state & 7) !== 0;
    const isHurt = state !== 0;
    context.lineWidth = isDead ? 3 : isHurt ? 2.5 : 1.5;
    context.strokeStyle = isDead ? colours.bad : isHurt ? colours.warn : colours.good;
    context.setLineDash(isDead ? [5, 3] : isHurt ? [2, 2] : []);
    context.strokeRect(box.x, box.y, box.width, box.height);
    context.setLineDash([]);
    this.#label(i, box, truth, beliefs, colours);
    const waiting = truth.waiting[i]!;
    if (waiting > 0 && (this.#isFlow || waiting > 12)) {
      context.textAlign = "right";
      context.fillStyle = colours.warn;
      context.font = "600 11px system-ui, sans-serif";
      context.fillText(`${formatNumber(waiting)} ▸`, box.x - 4, box.y + box.height - 6);
    }
    context.globalAlpha = 1;
  }

  #slots(i: number, box: Box, truth: Truth, colours: Colours): void {
    const context = this.#context;
    const slots = truth.slots[i]!;
    const busy = truth.busy[i]!;
    if (slots > SLOTS_MAX || this.#isFlow) {
      // A bar: the share of the slots that are busy.
      const share = Number.isFinite(slots) ? busy / slots : busy / (busy + 20);
      context.fillStyle = colours.accent;
      context.fillRect(box.x, box.y + box.height - 4, box.width * Math.min(1, share), 4);
      return;
    }
    context.strokeStyle = colours.muted;
    context.lineWidth = 1;
    context.beginPath();
    for (let slot = 0; slot < slots; slot++) {
      const { x, y } = slotPlace(box, slot);
      context.moveTo(x + 4, y);
      context.arc(x, y, 4, 0, 2 * Math.PI);
    }
    context.stroke();
  }

  #label(
    i: number,
    box: Box,
    truth: Truth,
    beliefs: readonly Beliefs[],
    colours: Colours,
  ): void {
    const context = this.#context;
    const condition = CONDITIONS[beliefs[0]?.condition[i] ?? UNCONFIGURED];
    const sign = condition === undefined ? "–" : SIGNS[condition];
    context.textBaseline = "middle";
    context.textAlign = "left";
    context.fillStyle = colours.text;
    context.font = `600 ${this.#layout.hasWords ? 13 : 10}px system-ui, sans-serif`;
    const y = box.y + (this.#layout.hasWords ? 10 : box.height / 2);
    const words = this.#layout.hasWords ? `${sign} ${truth.ids[i]}` : truth.ids[i]!;
    context.fillText(words, box.x + 5, y, 0.6 * box.width);
    if (!this.#layout.hasWords) return;
    const faults = truth.faults[i]!;
    const inFlight = beliefs.reduce((sum, { in_flight }) => sum + in_flight[i]!, 0);
    context.textAlign = "right";
    context.font = `${faults === "" ? "" : "600 "}11px system-ui, sans-serif`;
    context.fillStyle = faults === "" ? colours.muted : colours.bad;
    context.fillText(
      faults === "" ? formatNumber(inFlight) : faults,
      box.x + box.width - 5,
      y,
      0.55 * box.width,
    );
  }

  #box(
    { x, y, width, height }: Box,
    fill: string,
    stroke: string,
    thickness: number,
    dash: number[],
  ): void {
    const context = this.#context;
    context.beginPath();
    context.roundRect(x, y, width, height, 7);
    context.fillStyle = fill;
    context.fill();
    context.strokeStyle = stroke;
    context.lineWidth = thickness;
    context.setLineDash(dash);
    context.stroke();
    context.setLineDash([]);
  }

  #words(box: Box, title: string, detail: string, colours: Colours): void {
    const context = this.#context;
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const isFlat = box.height < 34;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillStyle = colours.text;
    context.font = `600 ${box.width < 60 ? 11 : 13}px system-ui, sans-serif`;
    context.fillText(title, x, detail === "" || isFlat ? y : y - 8, box.width - 6);
    if (detail === "" || isFlat) return;
    context.fillStyle = colours.muted;
    context.font = "11px system-ui, sans-serif";
    context.fillText(detail, x, y + 9, box.width - 6);
  }
}

function beliefColour(condition: number, colours: Colours): string | undefined {
  switch (CONDITIONS[condition]) {
    case "up":
      return colours.good;
    case "down":
    case "ejected":
      return colours.bad;
    case "drain":
    case "maintenance":
      return colours.warn;
    case "unknown":
      return colours.muted;
    default:
      return undefined;
  }
}

function lookOf({ accent, good, bad, warn, muted, card }: Colours): Look {
  return {
    travelling: accent,
    waiting: warn,
    serving: accent,
    done: good,
    failed: bad,
    still: muted,
    ground: card,
  };
}
