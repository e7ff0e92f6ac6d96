/** The kinds of events in the simulated world. The subject of each kind is in brackets. */

/** A backend has finished the work of a request [connection]. */
export const WORK_DONE = 0;
/** The answer reaches the client; it may be an error [connection]. */
export const ANSWER = 1;
/** The backend's answer reaches the balancer [connection]. */
export const ANSWER_AT_BALANCER = 2;
/** A request reaches the backend [connection]. */
export const REQUEST = 3;
/** A connect reaches the backend [connection]. */
export const CONNECT = 4;
/** The backend's reply to a connect reaches the balancer [connection]. */
export const CONNECT_REPLY = 5;
/** A client's connection reaches the balancer [connection]. */
export const REACH_BALANCER = 6;
/** The client's close reaches the balancer [connection]. */
export const CLOSE = 7;
/** A client's think time has ended: it sends another request [connection]. */
export const NEXT_REQUEST = 8;
/**
 * A client begins to connect: its think time, or its wait before a retry, has ended [connection].
 */
export const BEGIN = 9;
/** A connect was not answered in time [connection]. */
export const CONNECT_TIMEOUT = 10;
/** The balancer learns that the client has given up [connection]. */
export const ABORT_AT_BALANCER = 11;
/** The backend learns that the balancer has given the connection up [connection]. */
export const ABORT_AT_BACKEND = 12;
/** The balancer learns that the backend has reset a connection [connection]. */
export const RESET_AT_BALANCER = 13;
/** A backend has a free place for a connection that waited for it [connection]. */
export const HAS_ROOM = 14;
/** The next client connects. This kind and those that follow have no connection as subject. */
export const ARRIVAL = 15;
/** The timeout of the client that has waited longest may have passed. */
export const CLIENT_DEADLINE = 16;
/** A change that only time causes happens at a balancer: a wait or an ejection ends [balancer]. */
export const WAKE = 17;
/** Idle connections are searched for and closed. */
export const IDLE_SWEEP = 18;
/** A fault begins [fault]. */
export const FAULT_BEGINS = 19;
/** A fault ends [fault]. */
export const FAULT_ENDS = 20;
/** The warm-up ends: measuring begins. */
export const WARM = 21;
/** Clients stop: they begin no further connection or request. */
export const END = 22;

/** Settings change [change]. */
export const CHANGE = 23;

/** Kinds from here on repeat until the end of the run, and no client waits for them. */
export const BACKGROUND = 24;
/** A probe is due [probe]. */
export const PROBE_DUE = 24;
/** A probe's connect reaches the backend [probe]. */
export const PROBE_CONNECT = 25;
/** A probe's request reaches the backend [probe]. */
export const PROBE_REQUEST = 26;
/** A probe's result is known: an answer, or no answer in time [probe]. */
export const PROBE_RESULT = 27;
/** A flapping backend crashes or returns [fault]. */
export const FLAP = 28;
/** A slice of the time series ends. */
export const SLICE = 29;
/** An operator acts [index of the action]. */
export const OPERATE = 30;
/** A backend's report that it is idle reaches a balancer [report]. */
export const IDLE_REPORT = 31;
