// The load: opens n streams, counts the events that arrive on them, and drives the server through its control port.
// One thread and epoll. Every event holds one '~', followed by 16 digits: the time it was published at, in microseconds.
//   load -port P -pid SERVER [-clients N] [-mode flat|fixed|connect] ...     prints one line of JSON
// flat: at most `window` events are under way; the server is told of each that has arrived everywhere. fixed: `rate` events
// a second. With `sampled`, the events of the last stream are counted, and the others taken to be like it: a load that inflates
// a thousand streams slows the server on the core beside it. connect: opens the streams, waits until `replay` events have come on each, and leaves.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "histogram.h"
#include "inflate.h"
#include "process.h"
#include "request.h"

enum { CONNECTING, ASKED, OPEN };
typedef struct {
  int fd, state;
  Inflater *inflater;
} Stream;

static int port, pid, clients = 100, window = 1, burst = 1, per_event = 0, stalled = 0, streams = 0, rcvbuf = 0, at_once = 256, idle_ms = 100, sampled = 0;
static double rate = 0, seconds = 0.6, warm_up = 0.3, replay = 0, max_bytes = 0;
static const char *path = "/sse", *mode = "flat", *header = "";

static Stream *connections;
static int connection_count, poll_fd, gzip = 0;
static char buffer[1 << 18];
static uint64_t events = 0, bytes = 0, reads = 0;

static void fail(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint64_t count_marks(const char *text, size_t length) {
  uint64_t marks = 0;
  for (size_t i = 0; i < length; i++) marks += text[i] == '~';
  return marks;
}

// The oldest event of what was read, so that batching cannot make the latency look better.
static void sample_latency(const char *text, size_t length) {
  const char *mark = memchr(text, '~', length);
  if (!mark || text + length - mark < 17) return;
  uint64_t published = 0;
  for (int i = 1; i <= 16; i++) {
    if (mark[i] < '0' || mark[i] > '9') return;
    published = published * 10 + (uint64_t)(mark[i] - '0');
  }
  add_latency((double)now_us() - (double)published);
}

static void open_connection(int number) {
  Stream *stream = &connections[number];
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  if (fd < 0) fail("socket (is `ulimit -n` too low?)");
  struct linger reset = {1, 0}; // else thousands of closed connections hold their ports
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (rcvbuf) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof rcvbuf);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) fail("connect");
  *stream = (Stream){.fd = fd, .state = CONNECTING, .inflater = gzip ? new_inflater() : NULL};
  struct epoll_event event = {.events = EPOLLOUT, .data.u32 = (uint32_t)number};
  epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void ask(int number) {
  static char request[REQUEST_BYTES];
  Stream *stream = &connections[number];
  int length = streams ? http2_requests((uint8_t *)request, path, streams) : http1_request(request, path, number, port, header);
  if (send(stream->fd, request, (size_t)length, MSG_NOSIGNAL) != length) fail("connect");
  stream->state = ASKED;
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)number};
  epoll_ctl(poll_fd, EPOLL_CTL_MOD, stream->fd, &event);
}

static uint64_t marks_of(Stream *stream, size_t length) {
  return gzip ? inflate_marks(stream->inflater, buffer, length) : count_marks(buffer, length);
}

static void receive(Stream *stream, int measuring) {
  ssize_t length = recv(stream->fd, buffer, sizeof buffer, 0);
  if (length <= 0) fail("the server closed a stream");
  if (stream->state == ASKED && !streams && (length < 12 || memcmp(buffer, "HTTP/1.1 200", 12)))
    fprintf(stderr, "load: the answer is not 200: %.300s\n", buffer), exit(1);
  reads++, bytes += (uint64_t)length;
  if (sampled) {
    if (stream == &connections[connection_count - 1]) events += marks_of(stream, (size_t)length) * (uint64_t)clients;
    return;
  }
  uint64_t marks = marks_of(stream, (size_t)length);
  if (measuring && marks && !gzip) sample_latency(buffer, (size_t)length);
  events += marks;
}

// Opens all streams, a few hundred at a time, and waits until what is to be replayed has come.
static void connect_all(void) {
  struct epoll_event ready[1024];
  double deadline = now_s() + 60, wanted = replay * connection_count;
  for (int started = 0, opened = 0; opened < connection_count || (double)events < wanted;) {
    if (now_s() > deadline) fprintf(stderr, "load: %d of %d streams open, %.0f events\n", opened, connection_count, (double)events), exit(1);
    while (started < connection_count && started - opened < at_once) open_connection(started++);
    int n = epoll_wait(poll_fd, ready, 1024, 100);
    for (int i = 0; i < n; i++) {
      int number = (int)ready[i].data.u32;
      Stream *stream = &connections[number];
      if (stream->state == CONNECTING) {
        ask(number);
        continue;
      }
      receive(stream, 0);
      if (stream->state == OPEN) continue;
      stream->state = OPEN, opened++;
      if (number < stalled) epoll_ctl(poll_fd, EPOLL_CTL_DEL, stream->fd, NULL);
    }
  }
}

static void read_for(int ms) {
  struct epoll_event ready[1024];
  for (double end = now_s() + ms / 1000.0; now_s() < end;) {
    int n = epoll_wait(poll_fd, ready, 1024, 10);
    for (int i = 0; i < n; i++) receive(&connections[ready[i].data.u32], 0);
  }
}

static int order(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(port + 1)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("control port");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  char line[128];
  int length = *mode == 'f' && mode[1] == 'l' ? snprintf(line, sizeof line, "flat %d %d %llu\n", window, burst, (unsigned long long)now_us())
                                              : snprintf(line, sizeof line, "fixed %f %d %llu\n", rate, burst, (unsigned long long)now_us());
  if (write(fd, line, (size_t)length) != length) fail("control port");
  return fd;
}

// Tells the server of each event that has arrived everywhere, one byte for one.
static void acknowledge(int control, uint64_t *told) {
  static char marks[65536];
  for (uint64_t arrived = events / (uint64_t)per_event; *told < arrived;) {
    size_t some = arrived - *told > sizeof marks ? sizeof marks : arrived - *told;
    if (write(control, marks, some) < 0) fail("control port");
    *told += some;
  }
}

// Waits for the server to have had its last word, while the streams are still open.
static void part(int control) {
  struct timeval patience = {2, 0};
  setsockopt(control, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  shutdown(control, SHUT_WR);
  recv(control, buffer, 1, 0);
  close(control);
}

typedef struct {
  double time, cpu, core;
  uint64_t events, bytes, reads;
} Moment;

static Moment moment(void) { return (Moment){now_s(), cpu_seconds(pid), core_seconds(), events, bytes, reads}; }

static void measure(long rss_before, long rss_idle) {
  struct epoll_event ready[1024];
  events = bytes = 0;
  int control = order(), measuring = 0, flat = !strcmp(mode, "flat");
  uint64_t told = 0;
  long rss_max = 0;
  double now = now_s(), begin = now + warm_up, end = begin + seconds, look = now;
  Moment first = {0};
  while (now < end && (!max_bytes || (double)bytes < max_bytes)) {
    int n = epoll_wait(poll_fd, ready, 1024, 10);
    now = now_s();
    for (int i = 0; i < n; i++) receive(&connections[ready[i].data.u32], measuring);
    if (flat) acknowledge(control, &told);
    if (!measuring && now >= begin) measuring = 1, first = moment();
    if (now < look) continue;
    long rss = rss_bytes(pid);
    if (rss > rss_max) rss_max = rss;
    look = now + 0.05;
  }
  Moment last = moment();
  double time = last.time - first.time, cpu = last.cpu - first.cpu, deliveries = (double)(last.events - first.events);
  printf("{\"deliveries\":%.0f,\"seconds\":%.4f,\"cpuUs\":%.5f,\"busy\":%.3f,\"foreign\":%.3f,\"bytes\":%.0f,\"eventsPerRead\":%.2f,", deliveries, time,
         cpu / deliveries * 1e6, cpu / time, (last.core - first.core - cpu) / time, (double)(last.bytes - first.bytes),
         deliveries / (double)(last.reads - first.reads));
  printf("\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"rssBefore\":%ld,\"rssIdle\":%ld,\"rssMax\":%ld,\"rssEnd\":%ld}\n", latency_ms(.5), latency_ms(.99), latency_ms(.999),
         rss_before, rss_idle, rss_max, rss_bytes(pid));
  fflush(stdout);
  part(control);
}

static void parse(int argc, char **argv) {
  struct {
    const char *name;
    int *whole;
    double *number;
    const char **text;
  } options[] = {
      {"-port", &port, 0, 0},        {"-pid", &pid, 0, 0},          {"-clients", &clients, 0, 0},  {"-window", &window, 0, 0},
      {"-burst", &burst, 0, 0},      {"-per-event", &per_event, 0, 0}, {"-stalled", &stalled, 0, 0}, {"-streams", &streams, 0, 0},
      {"-rcvbuf", &rcvbuf, 0, 0},    {"-at-once", &at_once, 0, 0},  {"-idle", &idle_ms, 0, 0},     {"-sampled", &sampled, 0, 0}, {"-rate", 0, &rate, 0},
      {"-seconds", 0, &seconds, 0},  {"-warm-up", 0, &warm_up, 0},  {"-replay", 0, &replay, 0},    {"-max-bytes", 0, &max_bytes, 0},
      {"-path", 0, 0, &path},        {"-mode", 0, 0, &mode},        {"-header", 0, 0, &header},
  };
  for (int i = 1; i + 1 < argc; i += 2) {
    size_t k = 0, known = sizeof options / sizeof *options;
    while (k < known && strcmp(options[k].name, argv[i])) k++;
    if (k == known) fprintf(stderr, "load: what is %s?\n", argv[i]), exit(2);
    if (options[k].whole) *options[k].whole = atoi(argv[i + 1]);
    else if (options[k].number) *options[k].number = atof(argv[i + 1]);
    else *options[k].text = argv[i + 1];
  }
}

int main(int argc, char **argv) {
  parse(argc, argv);
  gzip = strstr(header, "gzip") != NULL;
  connection_count = streams ? (clients + streams - 1) / streams : clients;
  if (!per_event) per_event = clients - stalled;
  connections = calloc((size_t)connection_count, sizeof *connections);
  poll_fd = epoll_create1(0);
  long rss_before = rss_bytes(pid);
  double cpu_before = cpu_seconds(pid), start = now_s();
  connect_all();
  double took = now_s() - start, replayed = (double)events, received = (double)bytes;
  read_for(idle_ms);
  long rss_idle = rss_bytes(pid);
  if (!strcmp(mode, "connect"))
    printf("{\"seconds\":%.5f,\"cpuUs\":%.3f,\"events\":%.0f,\"bytes\":%.0f,\"rssBefore\":%ld,\"rssIdle\":%ld}\n", took,
           (cpu_seconds(pid) - cpu_before) / clients * 1e6, replayed, received, rss_before, rss_idle);
  else measure(rss_before, rss_idle);
  return 0;
}
