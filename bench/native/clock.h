// The clock that load and servers share: monotonic, in microseconds.
#include <stdint.h>
#include <time.h>

static uint64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static double now_s(void) { return (double)now_us() / 1e6; }
