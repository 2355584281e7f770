// Latencies in buckets of 1 %, so that a quantile of millions costs no memory.
#include <math.h>
#include <stdint.h>

#define BUCKETS 4000
static uint64_t buckets[BUCKETS], samples = 0;

static void add_latency(double us) {
  int bucket = us < 1 ? 0 : (int)(log(us) * 100);
  buckets[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
  samples++;
}

static double latency_ms(double quantile) {
  uint64_t wanted = (uint64_t)(quantile * (double)samples), seen = 0;
  for (int i = 0; i < BUCKETS; i++)
    if ((seen += buckets[i]) > wanted) return exp((i + 0.5) / 100) / 1000;
  return 0;
}
