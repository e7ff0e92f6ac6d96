/** The network of a scenario as namespaces of Linux: which commands make it. Pure. */
import { formatDuration, NS_PER_US, UserError } from "../lib/base/mod.ts";
import type { Distribution, NetworkSettings } from "../lib/scenario/types.ts";

/** Arguments of `ip`. */
export type IpCommand = readonly string[];

/** A machine of the network, which is a namespace. */
export interface NetemHost {
  readonly name: string;
  readonly namespace: string;
  /** Where its admin API is reached, without latency. */
  readonly admin: string;
}

/** The namespaces of a run, and how to make them. */
export interface NetemPlan {
  readonly clients: NetemHost & { readonly address: string };
  /** `address` is where clients connect. */
  readonly balancer: NetemHost & { readonly address: string };
  readonly backends: readonly (NetemHost & { readonly address: string })[];
  readonly namespaces: readonly string[];
  readonly commands: readonly IpCommand[];
}

/**
 * The largest number of packets that are on the way on a link. With the default, 1000, packets are
 * lost at a high rate.
 */
const PACKETS_MAX = 20_000;

/**
 * Plans the network: the clients, the balancer and each backend have a namespace of their own. A link joins the
 * balancer with the clients and with each backend; both ends of it delay what they send. A bridge without latency also
 * joins all of them, for the admin APIs.
 *
 * @param tag The beginning of the names of the namespaces.
 * @throws {UserError} if netem cannot do the latency.
 */
export function planNetem(
  tag: string,
  backends: readonly string[],
  { clientLatency, backendLatency }: NetworkSettings,
): NetemPlan {
  const toClients = netemOf("client_latency", clientLatency);
  const toBackends = netemOf("backend_latency", backendLatency);
  const host = (name: string, number: number): NetemHost => ({
    name,
    namespace: `${tag}-${number}`,
    admin: `10.78.${number >> 8}.${number & 255}`,
  });
  const balancer = { ...host("the balancer", 1), address: "10.77.0.1" };
  const clients = { ...host("the clients", 2), address: "10.77.0.2" };
  const machines = backends.map((name, i) => ({
    ...host(name, i + 3),
    address: `10.77.${i + 1}.2`,
  }));
  const bridge = `${tag}-0`;
  const hosts = [balancer, clients, ...machines];
  return {
    ...{ clients, balancer, backends: machines },
    namespaces: [bridge, ...hosts.map(({ namespace }) => namespace)],
    commands: [
      ["netns", "add", bridge],
      ["-n", bridge, "link", "add", "admin", "type", "bridge"],
      ["-n", bridge, "link", "set", "admin", "up"],
      ...hosts.flatMap((one, i) => adminCommands(one, bridge, i)),
      ...linkCommands(balancer.namespace, "clients", clients.namespace, 0, toClients),
      ...machines.flatMap(({ namespace }, i) =>
        linkCommands(balancer.namespace, `backend${i + 1}`, namespace, i + 1, toBackends)
      ),
    ],
  };
}

function adminCommands({ namespace, admin }: NetemHost, bridge: string, i: number): IpCommand[] {
  return [
    ["netns", "add", namespace],
    ["-n", namespace, "link", "set", "lo", "up"],
    [
      ...["-n", bridge, "link", "add", `host${i}`, "type", "veth"],
      ...["peer", "name", "admin", "netns", namespace],
    ],
    ["-n", bridge, "link", "set", `host${i}`, "master", "admin", "up"],
    ["-n", namespace, "address", "add", `${admin}/16`, "dev", "admin"],
    ["-n", namespace, "link", "set", "admin", "up"],
  ];
}

/** Joins the balancer with another machine. */
function linkCommands(
  balancer: string,
  device: string,
  other: string,
  number: number,
  netem: readonly string[],
): IpCommand[] {
  const ends = [[balancer, device, 1], [other, "eth0", 2]] as const;
  return [
    [
      ...["-n", balancer, "link", "add", device, "type", "veth"],
      ...["peer", "name", "eth0", "netns", other],
    ],
    ...ends.flatMap(([namespace, name, last]): IpCommand[] => [
      ["-n", namespace, "address", "add", `10.77.${number}.${last}/24`, "dev", name],
      ["-n", namespace, "link", "set", name, "up"],
      ...netem.length === 0 ? [] : [[
        ...["netns", "exec", namespace, "tc", "qdisc", "add", "dev", name, "root", "netem"],
        ...["limit", String(PACKETS_MAX), ...netem],
      ]],
    ]),
  ];
}

/**
 * A one-way latency in the words of netem: `delay 1000us`, or with a uniform law `delay 1500us 500us`. Nothing if
 * there is no latency.
 *
 * @param key The key of `network`, for the message.
 * @throws {UserError} if netem does not have such a law.
 */
export function netemOf(key: string, latency: Distribution): string[] {
  const us = (duration: number) => `${Math.round(duration / NS_PER_US)}us`;
  switch (latency.kind) {
    case "deterministic":
      return latency.value === 0 ? [] : ["delay", us(latency.value)];
    case "uniform": {
      const { min, max } = latency;
      return ["delay", us((min + max) / 2), us((max - min) / 2)];
    }
    default:
      throw new UserError(
        `not possible with netem: \`network.${key}\` is ${latency.kind}, ` +
          "and netem has a fixed latency or a uniform one",
        {
          exitCode: 2,
          hint: `write it like ${formatDuration(1e6)} or {uniform: {min: 1ms, max: 2ms}}, ` +
            "or leave out --network netem: lbsim then delays the messages itself",
        },
      );
  }
}
