import type { RedisClientType } from "@redis/client";
import { formatAddress, type Nanoseconds } from "../../lib/base/mod.ts";
import type { RedisAddress } from "../../lib/config/mod.ts";
import type { SessionStore, StoredSession, StoreRules } from "./session_store.ts";

/** The prefix of keys in Redis; the client's address or prefix follows. */
export const REDIS_PREFIX = "lbsim:session:";

/**
 * Writes each session with its time to live. If the store has a later change of a session, this change stays. If the
 * key in the store would expire later, this time stays, too. A value is `<changed at> <backend> <home>`. A key that
 * another program uses in another way stays as it is.
 */
const WRITE = `
for i, key in ipairs(KEYS) do
  local changed, place, ttl = ARGV[3 * i - 2], ARGV[3 * i - 1], tonumber(ARGV[3 * i])
  local value = redis.pcall('GET', key)
  if type(value) ~= 'table' then
    local known, at = string.match(value or '', '^(%d+) (%S+ %S+)$')
    if known and tonumber(known) >= tonumber(changed) then changed, place = known, at end
    ttl = math.max(ttl, redis.call('PTTL', key))
    redis.call('SET', key, changed .. ' ' .. place, 'PX', string.format('%d', ttl))
  end
end
`;

/**
 * Sessions in Redis or Valkey, which several balancers share. It has one connection, and closes it at the first
 * failure; the next `open` opens another.
 */
export class RedisStore implements SessionStore {
  readonly name: string;
  readonly readTimeout: Nanoseconds;
  readonly pauseMs = 1;
  readonly #address: RedisAddress;
  #client: RedisClientType | undefined;
  /** Why the connection broke, if it did. */
  #broken: unknown;
  /** The number of closes so far. The result of an operation that began before the last close is ignored. */
  #closes = 0;

  constructor(address: RedisAddress, readTimeout: Nanoseconds) {
    this.#address = address;
    this.readTimeout = readTimeout;
    this.name = `Redis at ${formatAddress(address)}`;
  }

  open(): Promise<readonly StoredSession[]> {
    return this.#attempt(async () => {
      this.close();
      const closes = this.#closes;
      const { host, port, tls, database, username, password } = this.#address;
      // The client library is loaded only by a balancer that keeps sessions in Redis.
      const { createClient } = await import("@redis/client");
      if (this.#closes !== closes) throw new Error("closed");
      const client = createClient({
        socket: { host, port, reconnectStrategy: false, ...tls && { tls } },
        database,
        ...username !== undefined && { username },
        ...password !== undefined && { password },
        // Servers before Redis 6 know only version 2 of the protocol.
        RESP: 2,
        disableOfflineQueue: true,
        disableClientInfo: true,
        // Only a commercial server sends these notifications, and the client would need a permission to ask for them.
        maintNotifications: "disabled",
      }) as unknown as RedisClientType;
      this.#client = client;
      client.on("error", (error) => {
        if (this.#client === client) this.#broken = error;
      });
      // While it connects, it has no socket that could be closed.
      client.on("connect", () => {
        if (this.#client !== client) client.destroy();
      });
      await client.connect();
      // A read like that for a client proves more than a connection, which the kernel accepts even for a
      // stopped server, and more than a PING, which a server answers although reads are not permitted.
      await client.get(REDIS_PREFIX).catch(unlessOfAnotherType);
      return [];
    });
  }

  read(key: string, nowMs: number): Promise<StoredSession | undefined> {
    return this.#attempt(async () => {
      const value = await this.#connected.get(REDIS_PREFIX + key).catch(unlessOfAnotherType);
      const [, changedAt, backend, home] = /^(\d+) (\S+) (\S+)$/.exec(value ?? "") ?? [];
      if (backend === undefined || home === undefined) return undefined;
      // The session is read because its client is connected here.
      return { key, backend, home, changedAt: Number(changedAt), usedAt: nowMs };
    });
  }

  write(sessions: readonly StoredSession[], { ttlMs, nowMs }: StoreRules): Promise<void> {
    return this.#attempt(async () => {
      await this.#connected.eval(WRITE, {
        keys: sessions.map(({ key }) => REDIS_PREFIX + key),
        arguments: sessions.flatMap(({ backend, home, changedAt, usedAt }) => [
          String(changedAt),
          `${backend} ${home}`,
          String(Math.max(1, usedAt + ttlMs - nowMs)),
        ]),
      });
    });
  }

  close(): void {
    this.#closes++;
    const client = this.#client;
    this.#client = undefined;
    this.#broken = undefined;
    if (client?.isOpen) client.destroy();
  }

  get #connected(): RedisClientType {
    if (this.#client === undefined) throw new Error("not connected");
    return this.#client;
  }

  async #attempt<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw new Error(failureInWords(this.#broken ?? error), { cause: error });
    }
  }
}

/** If another program uses a key in another way, this key holds no session, and the store stays usable. */
function unlessOfAnotherType(error: unknown): null {
  if (error instanceof Error && error.message.startsWith("WRONGTYPE")) return null;
  throw error;
}

/** Why a request to Redis failed, in words. */
export function failureInWords(error: unknown): string {
  const { message, code } = error as Error & { readonly code?: string };
  if (code === "ECONNREFUSED") return "connection refused";
  if (
    code === "ECONNRESET" || code === "EPIPE" ||
    /socket closed|client is closed|disconnects/i.test(message)
  ) {
    return "connection lost";
  }
  return message === "" ? String(code ?? error) : message;
}
