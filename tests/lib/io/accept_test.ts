import assert from "node:assert/strict";
import { acceptAll, acceptFailure } from "../../../lib/io/accept.ts";
import { UserError } from "../../../lib/base/user_error.ts";

function systemError(code: string): Error {
  return Object.assign(new Error("it failed"), { code });
}

Deno.test("acceptFailure() distinguishes an error of a client, a shortage and a failed listener", () => {
  const client = [
    ["ECONNABORTED", "ECONNRESET", "ENOTCONN", "EPIPE", "ETIMEDOUT", "EINTR", "EAGAIN", "EPERM"],
    ["EPROTO", "ENOPROTOOPT", "EOPNOTSUPP", "ENETDOWN", "ENETUNREACH", "ENONET", "EHOSTDOWN"],
    ["EHOSTUNREACH"],
  ].flat();
  for (const code of client) assert.equal(acceptFailure(systemError(code)), "client", code);
  for (const code of ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"]) {
    assert.equal(acceptFailure(systemError(code)), "shortage", code);
  }
  for (const code of ["EBADF", "ENOTSOCK", "EFAULT"]) {
    assert.equal(acceptFailure(systemError(code)), "listener", code);
  }
  assert.equal(acceptFailure(systemError("EINVAL"), "darwin"), "client");
  assert.equal(acceptFailure(systemError("EINVAL"), "linux"), "listener");
  assert.equal(acceptFailure(new Deno.errors.BadResource("closed")), "closed");
  assert.equal(acceptFailure(new Deno.errors.Interrupted("closed")), "closed");
  assert.equal(acceptFailure(new Error("of a kind that is not known")), "shortage");
});

/** A listener whose accepts have these outcomes; after them it is closed. */
function listenerOf(...outcomes: (number | Error)[]) {
  let accepts = 0;
  return {
    accept(): Promise<number> {
      const outcome = outcomes[accepts++];
      if (outcome === undefined) return Promise.reject(new Deno.errors.BadResource());
      return typeof outcome === "number" ? Promise.resolve(outcome) : Promise.reject(outcome);
    },
  };
}

Deno.test("acceptAll() ignores clients that have gone, and waits only after a shortage", async () => {
  const taken: number[] = [];
  const shortages: unknown[] = [];
  const gone = Array.from({ length: 300 }, () => systemError("ENOTCONN"));
  const short = systemError("EMFILE");
  await acceptAll(
    listenerOf(1, ...gone, 2, short, 3),
    (connection) => taken.push(connection),
    (error) => Promise.resolve(void shortages.push(error)),
  );
  assert.deepEqual(taken, [1, 2, 3]);
  assert.deepEqual(shortages, [short]);
});

Deno.test("acceptAll() fails when the listener has failed", async () => {
  await assert.rejects(
    acceptAll(listenerOf(systemError("ENOTSOCK")), () => {}, () => Promise.resolve()),
    (error) => error instanceof UserError && /no client can be accepted/.test(error.message),
  );
});

Deno.test("acceptAll() lets the event loop poll while clients are always ready", async () => {
  using echo = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let others = 0;
  let isOver = false;
  const busy = {
    accept: () => isOver ? Promise.reject(new Deno.errors.BadResource()) : Promise.resolve(1),
  };
  const accepting = acceptAll(busy, () => {}, () => Promise.resolve());
  for (let i = 0; i < 5; i++) {
    const [one, two] = await Promise.all([
      Deno.connect({ hostname: "127.0.0.1", port: echo.addr.port }),
      echo.accept(),
    ]);
    one.close();
    two.close();
    others++;
  }
  isOver = true;
  await accepting;
  assert.equal(others, 5);
});
