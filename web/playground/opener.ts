import type { LessonRun } from "./lessons.ts";
import type { Playground } from "./playground.ts";
import type { TextFile } from "./protocol.ts";
import { readRoute, type Route, runAddress } from "./address.ts";
import { ShareError } from "./share.ts";
import { SPEEDS } from "./speeds.ts";

/** The scenario for visitors without a plan. */
const FIRST = "two-choices";

/** Opens what the address, a file or a click asks for. */
export class Opener {
  readonly #playground: Playground;

  constructor(playground: Playground) {
    this.#playground = playground;
  }

  /** Follows the page's address, now and after each change of it. */
  async follow(): Promise<void> {
    addEventListener("hashchange", () => void this.#followAddress());
    await this.#followAddress();
  }

  async #followAddress(): Promise<void> {
    try {
      const { hash } = location;
      await this.#open(await readRoute(hash));
      this.#playground.route.value = hash;
    } catch (error) {
      if (!(error instanceof ShareError)) throw error;
      if (this.#playground.opened.peek() === undefined) await this.#example(FIRST, []);
      this.#playground.fail(error.message);
    }
  }

  async #open(route: Route): Promise<void> {
    const playground = this.#playground;
    playground.lesson.value = route.kind === "lesson" ? route.number : undefined;
    switch (route.kind) {
      case "start":
        return await this.#example(FIRST, []);
      case "example":
        return await this.#example(route.name, []);
      case "lesson":
        return await this.#lesson(route.number, route.change);
      case "given":
        return await this.#given();
      case "live":
        return await this.#live();
      case "shared": {
        const { source, files, at_ms, speed, variant } = route.run;
        playground.file.value = source.file;
        if (!await playground.open({ source, files, at_ms })) return;
        playground.variant.value = variant;
        await (speed > 0 ? playground.play(speed) : playground.pause());
        return;
      }
    }
  }

  async #example(name: string, set: readonly string[]): Promise<void> {
    const example = this.#playground.library.peek().examples.find((one) => one.name === name);
    if (example === undefined) {
      const names = this.#playground.library.peek().examples.map((one) => one.name).join(", ");
      throw new ShareError(`there is no example ${name}; there are: ${names}`);
    }
    const source = { file: `${name}.yaml`, text: example.text };
    if (await this.#playground.open({ source, set: [...set, "expect=[]"] })) await this.#begin();
  }

  async #lesson(number: number, change: number | undefined): Promise<void> {
    const lesson = this.#playground.library.peek().lessons.find((one) => one.number === number);
    const run: LessonRun | undefined = change === undefined
      ? lesson?.run
      : lesson?.changes[change - 1];
    if (run === undefined) throw new ShareError(`the lab has no lesson ${number}`);
    await this.#example(run.example, run.set);
  }

  async #given(): Promise<void> {
    const response = await fetch("given.json");
    if (!response.ok) {
      throw new ShareError("this address belongs to `lbsim play FILE`, which has ended");
    }
    const { scenario, files } = await response.json();
    if (await this.#playground.open({ source: scenario, files })) await this.#begin();
  }

  async #live(): Promise<void> {
    const response = await fetch("../api/config");
    if (!response.ok) throw new ShareError("the balancer does not show its configuration here");
    const { in_use } = await response.json();
    // JSON is YAML, too.
    const source = { file: "config.yaml", text: JSON.stringify(in_use, null, 2) };
    if (await this.#playground.open({ source })) await this.#begin();
  }

  /** Opens files that the user has dropped or chosen: one scenario or configuration, and files that it names. */
  async files(list: readonly File[]): Promise<void> {
    const texts: TextFile[] = await Promise.all(
      list.map(async (file) => ({ file: file.name, text: await file.text() })),
    );
    const yaml = texts.filter(({ file }) => /\.ya?ml$/i.test(file));
    // A scenario names the other files. Without one, it is a configuration alone.
    const [source = texts[0]] = yaml.toSorted((a, b) => rank(a) - rank(b));
    if (source === undefined) return;
    const files = Object.fromEntries(
      texts.filter((one) => one !== source).map((one) => [one.file, one]),
    );
    if (await this.#playground.open({ source, files })) {
      history.replaceState(null, "", location.pathname + location.search);
      this.#playground.lesson.value = undefined;
      await this.#begin();
    }
  }

  /** Begins slowly, and goes on at a speed that fits the number of requests. */
  async #begin(): Promise<void> {
    const playground = this.#playground;
    const begin = 0.1;
    const end = playground.onUpdate(({ run, variants }) => {
      const perS = variants[0]?.flows.to_balancer.reduce((sum, rate) => sum + rate, 0) ?? 0;
      if (run.at_ms < 30 || perS === 0) return;
      end();
      // The user may have chosen another speed by now.
      if (run.speed === begin) void playground.play(speedFor(perS, run.length_ms));
    });
    await playground.play(begin);
  }

  /** Writes the whole state into the page's address. Returns the address. */
  async share(): Promise<string> {
    const playground = this.#playground;
    const opened = playground.opened.peek();
    const run = playground.latest?.run;
    if (opened === undefined || run === undefined) return location.href;
    const hash = await runAddress({
      source: { file: playground.file.peek(), text: playground.text.peek() },
      files: opened.files,
      at_ms: run.at_ms,
      speed: run.speed,
      variant: playground.variant.peek(),
    });
    history.replaceState(null, "", hash);
    return location.href;
  }
}

/** A scenario comes before a configuration. */
function rank({ text }: TextFile): number {
  return /^(balancer|workload|service|extends|compare|duration):/m.test(text) ? 0 : 1;
}

/** So many requests in a second can be followed by the eye. */
const FOLLOWED_PER_S = 40;
/** A run is over after at most this time, in seconds of the wall clock. */
const RUN_S_MAX = 900;

/** The speed at which the eye can follow the requests, if the run is not too long for that. */
export function speedFor(perS: number, length_ms: number): number {
  const wanted = Math.max(FOLLOWED_PER_S / perS, length_ms / 1000 / RUN_S_MAX);
  return SPEEDS.find(([speed]) => speed >= Math.min(1, wanted))![0];
}
