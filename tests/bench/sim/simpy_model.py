"""The same in SimPy. Prints the mean sojourn and the seconds it took."""

import random
import sys
import time

import simpy

servers, load, requests = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
random.seed(1)
env = simpy.Environment()
resources = [simpy.Resource(env) for _ in range(servers)]
waiting = [0] * servers
sojourns = [0.0, 0]


def serve(chosen):
    came = env.now
    waiting[chosen] += 1
    with resources[chosen].request() as turn:
        yield turn
        yield env.timeout(random.expovariate(1))
    waiting[chosen] -= 1
    sojourns[0] += env.now - came
    sojourns[1] += 1


def arrive():
    for _ in range(requests):
        yield env.timeout(random.expovariate(servers * load))
        a, b = random.sample(range(servers), 2)
        env.process(serve(a if waiting[a] <= waiting[b] else b))


env.process(arrive())
began = time.perf_counter()
env.run()
print(sojourns[0] / sojourns[1], time.perf_counter() - began)
