/* The same as minimal_loop.ts, in C. Prints the mean sojourn and the seconds it took. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint32_t state = 0x2545f491;
static double uniform(void) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state / 4294967296.0;
}
static double exponential(double mean) { return -mean * log(1 - uniform()); }

static int size, *heap, *place;
static double *times;

static void move(int entry) {
  int at = place[entry];
  double time = times[entry];
  while (at > 0) {
    int parent = (at - 1) >> 2, other = heap[parent];
    if (times[other] <= time) break;
    heap[at] = other;
    place[other] = at;
    at = parent;
  }
  for (;;) {
    int child = 4 * at + 1;
    if (child >= size) break;
    int least = child, end = child + 4 < size ? child + 4 : size;
    for (int i = child + 1; i < end; i++)
      if (times[heap[i]] < times[heap[least]]) least = i;
    int other = heap[least];
    if (times[other] >= time) break;
    heap[at] = other;
    place[other] = at;
    at = least;
  }
  heap[at] = entry;
  place[entry] = at;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  int servers = atoi(argv[1]);
  double load = atof(argv[2]);
  long requests = atol(argv[3]), done = 0;
  size = servers + 1;
  heap = malloc(size * sizeof(int));
  place = malloc(size * sizeof(int));
  times = malloc(size * sizeof(double));
  double(*queues)[1024] = malloc(servers * sizeof(*queues));
  int *first = calloc(servers, sizeof(int)), *length = calloc(servers, sizeof(int));
  for (int i = 0; i < size; i++) heap[i] = place[i] = i, times[i] = INFINITY;
  double gap = 1 / (servers * load), sum = 0;
  struct timespec from, to;
  clock_gettime(CLOCK_MONOTONIC, &from);
  times[servers] = exponential(gap);
  move(servers);
  while (done < requests) {
    int entry = heap[0];
    double now = times[entry];
    if (entry == servers) {
      int a = uniform() * servers, b = uniform() * (servers - 1);
      if (b >= a) b++;
      int chosen = length[a] <= length[b] ? a : b;
      queues[chosen][(first[chosen] + length[chosen]) & 1023] = now;
      if (++length[chosen] == 1) {
        times[chosen] = now + exponential(1);
        move(chosen);
      }
      times[servers] = now + exponential(gap);
    } else {
      sum += now - queues[entry][first[entry]];
      done++;
      first[entry] = (first[entry] + 1) & 1023;
      times[entry] = --length[entry] > 0 ? now + exponential(1) : INFINITY;
    }
    move(entry);
  }
  clock_gettime(CLOCK_MONOTONIC, &to);
  printf("%f %f\n", sum / done, (to.tv_sec - from.tv_sec) + (to.tv_nsec - from.tv_nsec) / 1e9);
  return 0;
}
