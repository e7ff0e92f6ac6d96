import { CONDITIONS } from "../../lib/observe/frame.ts";
import type { Frame } from "../../lib/observe/mod.ts";
import { formatNumber } from "./format.ts";
import { SIGNS, strokeOf } from "./palette.ts";

/** At most this many backends are drawn one by one; the others share one place. */
const DRAWN_MAX = 12;
const ROW = 40;
/** How long a dot takes from the clients to a backend. */
const TRAVEL_S = 1.4;
/** A line gets at most this many dots per second. The eye cannot distinguish more. */
const SHOWN_PER_S_MAX = 40;
const DOTS_MAX = 1024;

/** The colours of text, lines and boxes. */
export interface FlowColours {
  readonly isDark: boolean;
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly box: string;
  readonly good: string;
  readonly bad: string;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** One place on the right: a backend, or all backends that are not drawn one by one. */
interface Place {
  readonly label: string;
  readonly sign: string;
  readonly isUp: boolean;
  readonly inFlight: number;
  readonly perS: number;
  readonly colour: string;
  readonly y: number;
}

/** The height of the picture for this number of backends, in CSS pixels. */
export function flowHeight(backends: number): number {
  return ROW * Math.max(4, Math.min(backends, DRAWN_MAX + 1)) + 16;
}

/**
 * Draws clients → balancer → backends. Dots travel along the lines; their number follows the rate. Memory does not
 * grow with the rate.
 */
export class FlowPicture {
  readonly #context: CanvasRenderingContext2D;
  /** For each dot: its place on the right (−1: refused), its progress on the line, and its distance from the line. */
  readonly #target = new Int16Array(DOTS_MAX);
  readonly #progress = new Float32Array(DOTS_MAX).fill(2);
  readonly #offset = new Float32Array(DOTS_MAX);
  #next = 0;
  /** The fraction of the next dot that is due, for each place; the last entry is for refusals. */
  readonly #due = new Float32Array(DRAWN_MAX + 2);
  #inFlightMax = 1;

  constructor(context: CanvasRenderingContext2D) {
    this.#context = context;
  }

  /**
   * @param passed Seconds since the last picture; 0 if nothing moves.
   * @param refusedPerS Clients refused per second.
   */
  draw(
    frame: Frame,
    refusedPerS: number,
    { width, height }: { readonly width: number; readonly height: number },
    colours: FlowColours,
    passed: number,
    limits: readonly (number | null)[],
  ): void {
    const context = this.#context;
    context.clearRect(0, 0, width, height);
    const isNarrow = width < 560;
    const places = placesOf(frame, height, colours.isDark);
    const box = { width: isNarrow ? 124 : Math.min(300, 0.34 * width), height: ROW - 8 };
    const clients: Point = { x: isNarrow ? 35 : 62, y: height / 2 };
    const balancer: Point = { x: isNarrow ? 0.36 * width : 0.4 * width, y: height / 2 };
    const left = width - box.width - 2;

    context.lineWidth = 1;
    this.#line(clients, balancer, colours.line, 2);
    for (const { y, isUp, perS, colour } of places) {
      context.globalAlpha = isUp ? 1 : 0.5;
      context.setLineDash(isUp ? [] : [3, 5]);
      const thickness = 1 + Math.min(5, Math.log2(1 + perS) / 2);
      this.#curve(balancer, { x: left, y }, isUp ? colour : colours.muted, thickness);
    }
    context.globalAlpha = 1;
    context.setLineDash([]);
    if (passed > 0) this.#move(places, refusedPerS, passed);
    this.#dots(places, clients, balancer, left, height, colours);
    const half = isNarrow ? 33 : 52;
    this.#node(clients, half, [
      "clients",
      refusedPerS > 0 ? `✕ ${formatNumber(refusedPerS)}/s` : "",
    ], colours);
    const waiting = frame.waiting > 0
      ? `${formatNumber(frame.waiting)} wait`
      : `${formatNumber(frame.in_flight)} open`;
    this.#node(balancer, half, ["balancer", waiting], colours);
    const most = Math.max(...places.map(({ inFlight }) => inFlight), 1);
    this.#inFlightMax = Math.max(most, 0.98 * this.#inFlightMax);
    places.forEach((place, i) => {
      const limit = limits[i] ?? null;
      this.#backend(place, left, box, limit ?? this.#inFlightMax, colours, isNarrow);
    });
  }

  #move(places: readonly Place[], refusedPerS: number, passed: number): void {
    for (let i = 0; i < DOTS_MAX; i++) this.#progress[i]! += passed / TRAVEL_S;
    places.forEach(({ perS }, i) => this.#spawn(i, i, perS, passed));
    this.#spawn(-1, DRAWN_MAX + 1, refusedPerS, passed);
  }

  #spawn(target: number, due: number, perS: number, passed: number): void {
    // Up to 8 connections per second, each one is a dot. Above that, dots follow the logarithm of the rate.
    const shown = perS <= 8 ? perS : Math.min(SHOWN_PER_S_MAX, 8 + 4 * Math.log2(perS / 8));
    this.#due[due] = Math.min(4, this.#due[due]! + shown * passed);
    for (; this.#due[due]! >= 1; this.#due[due]!--) {
      this.#target[this.#next] = target;
      // The dots of one picture start at different points.
      this.#progress[this.#next] = Math.random() * passed / TRAVEL_S;
      this.#offset[this.#next] = Math.random() * 6 - 3;
      this.#next = (this.#next + 1) % DOTS_MAX;
    }
  }

  #dots(
    places: readonly Place[],
    clients: Point,
    balancer: Point,
    left: number,
    height: number,
    colours: FlowColours,
  ): void {
    const context = this.#context;
    for (let i = 0; i < DOTS_MAX; i++) {
      const progress = this.#progress[i]!;
      if (progress >= 1) continue;
      const target = this.#target[i]!;
      const place = places[target];
      const end = place === undefined ? { x: balancer.x, y: height - 8 } : { x: left, y: place.y };
      const from = progress < 0.4 ? clients : balancer;
      const to = progress < 0.4 ? balancer : end;
      const part = progress < 0.4 ? progress / 0.4 : (progress - 0.4) / 0.6;
      const { x, y } = progress < 0.4 ? between(from, to, part) : onCurve(from, to, part);
      context.fillStyle = place?.colour ?? colours.bad;
      context.beginPath();
      context.arc(
        x,
        y + this.#offset[i]! * Math.min(1, 4 * part * (1 - part)),
        2.6,
        0,
        2 * Math.PI,
      );
      context.fill();
    }
  }

  #line(from: Point, to: Point, colour: string, thickness: number): void {
    const context = this.#context;
    context.strokeStyle = colour;
    context.lineWidth = thickness;
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
    context.stroke();
  }

  #curve(from: Point, to: Point, colour: string, thickness: number): void {
    const context = this.#context;
    const middle = (from.x + to.x) / 2;
    context.strokeStyle = colour;
    context.lineWidth = thickness;
    context.globalAlpha *= 0.45;
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.bezierCurveTo(middle, from.y, middle, to.y, to.x, to.y);
    context.stroke();
  }

  #node(
    { x, y }: Point,
    half: number,
    [title, detail]: readonly string[],
    colours: FlowColours,
  ): void {
    const context = this.#context;
    context.fillStyle = colours.box;
    context.strokeStyle = colours.line;
    context.lineWidth = 1.5;
    context.beginPath();
    context.roundRect(x - half, y - 24, 2 * half, 48, 8);
    context.fill();
    context.stroke();
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillStyle = colours.text;
    context.font = `600 ${half > 40 ? 14 : 11.5}px system-ui, sans-serif`;
    context.fillText(title!, x, detail === "" ? y : y - 9);
    context.font = `${half > 40 ? 13 : 11}px system-ui, sans-serif`;
    context.fillStyle = colours.muted;
    context.fillText(detail!, x, y + 10);
  }

  #backend(
    { label, sign, isUp, inFlight, perS, colour, y }: Place,
    left: number,
    { width, height }: { readonly width: number; readonly height: number },
    full: number,
    colours: FlowColours,
    isNarrow: boolean,
  ): void {
    const context = this.#context;
    const top = y - height / 2;
    context.fillStyle = colours.box;
    context.beginPath();
    context.roundRect(left, top, width, height, 6);
    context.fill();
    context.save();
    context.clip();
    context.globalAlpha = 0.28;
    context.fillStyle = colour;
    context.fillRect(left, top, width * Math.min(1, inFlight / full), height);
    context.restore();
    context.strokeStyle = isUp ? colour : colours.bad;
    context.lineWidth = isUp ? 1.5 : 2;
    context.setLineDash(isUp ? [] : [4, 3]);
    context.stroke();
    context.setLineDash([]);
    context.textBaseline = "middle";
    context.textAlign = "left";
    context.fillStyle = isUp ? colours.good : colours.bad;
    context.font = "700 14px system-ui, sans-serif";
    context.fillText(sign, left + 8, y);
    context.fillStyle = colours.text;
    context.font = "600 13px system-ui, sans-serif";
    context.fillText(label, left + 26, y, width / 2 - 20);
    context.textAlign = "right";
    context.font = "12px system-ui, sans-serif";
    const rate = `${formatNumber(perS)}/s`;
    context.fillText(
      isNarrow
        ? `${formatNumber(inFlight)} · ${rate}`
        : `${formatNumber(inFlight)} in flight · ${rate}`,
      left + width - 8,
      y,
    );
  }
}

function placesOf(frame: Frame, height: number, isDark: boolean): Place[] {
  const count = frame.backends.length;
  const drawn = count <= DRAWN_MAX + 1 ? count : DRAWN_MAX;
  const rows = drawn < count ? drawn + 1 : drawn;
  const step = Math.min(ROW, height / rows);
  const first = (height - step * (rows - 1)) / 2;
  const places: Place[] = [];
  for (let i = 0; i < drawn; i++) {
    const condition = CONDITIONS[frame.condition[i]!]!;
    places.push({
      label: frame.backends[i]!,
      sign: SIGNS[condition],
      isUp: condition === "up",
      inFlight: frame.backend_in_flight[i]!,
      perS: frame.opened_per_s[i]!,
      colour: strokeOf(i, isDark).colour,
      y: first + i * step,
    });
  }
  if (drawn < count) {
    const rest = (column: Float64Array) => column.subarray(drawn).reduce((a, b) => a + b, 0);
    places.push({
      label: `${count - drawn} more`,
      sign: "…",
      isUp: true,
      inFlight: rest(frame.backend_in_flight),
      perS: rest(frame.opened_per_s),
      colour: strokeOf(6, isDark).colour,
      y: first + drawn * step,
    });
  }
  return places;
}

function between(from: Point, to: Point, part: number): Point {
  return { x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part };
}

/** A point of the curve that `#curve` draws. */
function onCurve(from: Point, to: Point, part: number): Point {
  const middle = (from.x + to.x) / 2;
  const rest = 1 - part;
  const [a, b, c, d] = [rest ** 3, 3 * rest * rest * part, 3 * rest * part * part, part ** 3];
  return {
    x: a * from.x + (b + c) * middle + d * to.x,
    y: (a + b) * from.y + (c + d) * to.y,
  };
}
