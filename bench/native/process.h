// What /proc tells of another process: its CPU time, its memory, and how busy a core is.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Seconds on a core, summed over the threads. schedstat counts nanoseconds, where stat counts ticks of 10 ms.
static double cpu_seconds(int pid) {
  char path[320];
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *threads = opendir(path);
  if (!threads) return 0;
  double sum = 0;
  for (struct dirent *entry; (entry = readdir(threads));) {
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", pid, entry->d_name);
    FILE *file = fopen(path, "r");
    if (!file) continue;
    unsigned long long ns;
    if (fscanf(file, "%llu", &ns) == 1) sum += (double)ns / 1e9;
    fclose(file);
  }
  closedir(threads);
  return sum;
}

static long rss_bytes(int pid) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE *file = fopen(path, "r");
  if (!file) return 0;
  long kb = 0;
  while (fgets(line, sizeof line, file))
    if (!strncmp(line, "VmRSS:", 6)) kb = atol(line + 6);
  fclose(file);
  return kb * 1024;
}

// Seconds that core 0, the server's, has been busy with whatever it was.
static double core_seconds(void) {
  FILE *file = fopen("/proc/stat", "r");
  if (!file) return 0;
  char line[512];
  double busy = 0;
  while (fgets(line, sizeof line, file)) {
    double user, nice, system, idle, wait, irq, softirq;
    if (sscanf(line, "cpu0 %lf %lf %lf %lf %lf %lf %lf", &user, &nice, &system, &idle, &wait, &irq, &softirq) == 7)
      busy = (user + nice + system + irq + softirq) / 100;
  }
  fclose(file);
  return busy;
}
