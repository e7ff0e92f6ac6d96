/** A LAN on one machine: network namespaces as hosts, joined by a bridge in a namespace of its own. */

import { installed } from "../support/tools.ts";

/** A host of the LAN. */
export interface Host {
  readonly name: string;
  readonly address: string;
}

/** Why this machine cannot have the LAN; undefined if it can. */
export async function whyNoLan(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "only Linux has network namespaces";
  if (Deno.uid() !== 0) return "network namespaces need root";
  if (installed("ip") === undefined) return "`ip` is not installed (package iproute2)";
  const probe = `lbsim-probe-${Deno.pid}`;
  try {
    await ip("netns", "add", probe);
    await ip("netns", "del", probe);
  } catch (error) {
    return `this system cannot make network namespaces: ${(error as Error).message}`;
  }
}

/**
 * The LAN 192.168.1.0/24. It exists only in namespaces, which are removed when it is disposed of.
 */
export class Lan {
  readonly #tag: string;
  readonly #hosts: readonly Host[];

  private constructor(hosts: readonly Host[]) {
    this.#tag = `lbsim-${Deno.pid}`;
    this.#hosts = hosts;
  }

  static async create(hosts: readonly Host[]): Promise<Lan> {
    const lan = new Lan(hosts);
    try {
      await lan.#build();
    } catch (error) {
      await lan[Symbol.asyncDispose]();
      throw error;
    }
    return lan;
  }

  /** The words before a command that run it on a host. */
  on(name: string): string[] {
    return ["ip", "netns", "exec", this.#namespace(name)];
  }

  /** Pulls a host's cable, or plugs it in. Without the cable, packets are lost without an error. */
  async cable(name: string, plugged: boolean): Promise<void> {
    await ip("-n", this.#switch, "link", "set", `to-${name}`, plugged ? "up" : "down");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const present = await ip("netns", "list");
    for (
      const namespace of [...this.#hosts.map(({ name }) => this.#namespace(name)), this.#switch]
    ) {
      if (present.includes(namespace)) await ip("netns", "del", namespace);
    }
  }

  get #switch(): string {
    return `${this.#tag}-switch`;
  }

  #namespace(name: string): string {
    return `${this.#tag}-${name}`;
  }

  async #build(): Promise<void> {
    await ip("netns", "add", this.#switch);
    await ip("-n", this.#switch, "link", "add", "bridge", "type", "bridge");
    await ip("-n", this.#switch, "link", "set", "bridge", "up");
    for (const { name, address } of this.#hosts) {
      const namespace = this.#namespace(name);
      await ip("netns", "add", namespace);
      await ip(
        ...["-n", this.#switch, "link", "add", `to-${name}`, "type", "veth"],
        ...["peer", "name", "eth0", "netns", namespace],
      );
      await ip("-n", this.#switch, "link", "set", `to-${name}`, "master", "bridge", "up");
      await ip("-n", namespace, "address", "add", `${address}/24`, "dev", "eth0");
      await ip("-n", namespace, "link", "set", "eth0", "up");
      await ip("-n", namespace, "link", "set", "lo", "up");
    }
  }
}

async function ip(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("ip", { args }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`ip ${args.join(" ")}: ${text.decode(stderr).trim()}`);
  return text.decode(stdout);
}
