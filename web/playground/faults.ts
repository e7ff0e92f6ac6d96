/** The faults that a click can cause, as in scenarios. */
export interface FaultKind {
  readonly name: string;
  readonly label: string;
  readonly meaning: string;
  /** The numbers that it needs, with the values that the form begins with. */
  readonly parameters: readonly FaultParameter[];
  /** The `kind` of the fault in a scenario. */
  readonly kindOf: (values: readonly string[]) => unknown;
}

/** A value of a fault. */
export interface FaultParameter {
  readonly label: string;
  readonly initial: string;
}

const bare = (name: string) => () => name;

/** Every kind of fault of a backend. */
export const FAULTS: readonly FaultKind[] = [
  {
    name: "crash",
    label: "crash",
    meaning: "The process ends: connections are reset, connects are refused.",
    parameters: [],
    kindOf: bare("crash"),
  },
  {
    name: "hang",
    label: "hang",
    meaning: "The machine is silent: connects and probes time out, work stops.",
    parameters: [],
    kindOf: bare("hang"),
  },
  {
    name: "pause",
    label: "pause",
    meaning: "The process stops, but its kernel accepts connections.",
    parameters: [],
    kindOf: bare("pause"),
  },
  {
    name: "slow",
    label: "slow",
    meaning: "Everything takes longer by this factor.",
    parameters: [{ label: "factor", initial: "5" }],
    kindOf: ([factor]) => ({ slow: Number(factor) }),
  },
  {
    name: "fail-rate",
    label: "errors",
    meaning: "This share of requests and probes fails.",
    parameters: [{ label: "share", initial: "30%" }],
    kindOf: ([share]) => ({ "fail-rate": share }),
  },
  {
    name: "fast-errors",
    label: "fast errors",
    meaning: "This share of requests and probes fails at once, without work.",
    parameters: [{ label: "share", initial: "100%" }],
    kindOf: ([share]) => ({ "fast-errors": share }),
  },
  {
    name: "gray",
    label: "gray failure",
    meaning: "Every probe succeeds, but requests fail or are slow.",
    parameters: [{ label: "share", initial: "30%" }, { label: "slow", initial: "2" }],
    kindOf: ([rate, slow]) => ({ gray: { rate, slow: Number(slow) } }),
  },
  {
    name: "flap",
    label: "flapping",
    meaning: "The process crashes and returns again and again.",
    parameters: [{ label: "period", initial: "10s" }],
    kindOf: ([period]) => ({ flap: { period } }),
  },
  {
    name: "partition",
    label: "partition",
    meaning: "No message passes between the backend and the balancers.",
    parameters: [],
    kindOf: bare("partition"),
  },
  {
    name: "drain",
    label: "drain",
    meaning: "Not a fault: the operator lets the balancer send no new clients to the backend.",
    parameters: [],
    kindOf: bare("drain"),
  },
  {
    name: "maintenance",
    label: "maintenance",
    meaning:
      "Not a fault: the operator lets the balancer send no connections and no probes to the backend.",
    parameters: [],
    kindOf: bare("maintenance"),
  },
];
