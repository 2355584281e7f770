// What the kernel alone costs: a server that does nothing but send() the same bytes to each client.
//   floor PORT [all | each] [events to replay]
// `all` sends every event to every client; `each` sends one to one client after another, as topics of their own would.
// One thread, blocking sockets, one send() per client and tick: a tick's events leave in one chunk, as they do elsewhere.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

#define MAX_CLIENTS 65536
enum { IDLE, AWAITING_ORDERS, FLAT, FIXED };

static int clients[MAX_CLIENTS], count = 0, turn = 0;
static int listener, controller, control = -1, poll_fd;
static int to_each = 0, mode = IDLE, window, burst = 1;
static long in_flight = 0;
static double period, next_tick;
static char events[1 << 20], chunk[1 << 20], *replay = NULL;
static int replay_bytes = 0;

static int append_event(char *out) {
  static unsigned long seq = 0;
  seq++;
  return sprintf(out, "id: 0123456789ab-%lu\ndata: {\"id\":%lu,\"type\":\"tick\",\"sym\":\"ACME\",\"px\":123.45,\"qty\":100,\"t\":\"~%016llu\",\"note\":\"abcdefghijklmnopqrst\"}\n\n",
                 seq, 100000 + seq, (unsigned long long)now_us());
}

static int frame(char *out, const char *bytes, int length) {
  int n = sprintf(out, "%x\r\n", length);
  memcpy(out + n, bytes, (size_t)length);
  memcpy(out + n + length, "\r\n", 2);
  return n + length + 2;
}

static void publish_to_all(void) {
  int length = 0;
  for (int i = 0; i < burst; i++) length += append_event(events + length);
  int size = frame(chunk, events, length);
  for (int i = 0; i < count; i++) send(clients[i], chunk, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void publish_to_each(void) {
  for (int i = 0; i < burst && count > 0; i++) {
    int size = frame(chunk, events, append_event(events));
    send(clients[turn++ % count], chunk, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
}

static void publish(void) { to_each ? publish_to_each() : publish_to_all(); }

static void watch(int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
}

static int listen_on(int port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 4096) < 0) perror("listen"), exit(1);
  watch(fd);
  return fd;
}

static void open_stream(int fd) {
  static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n:ok\n\n\r\n";
  send(fd, head, sizeof head - 1, MSG_NOSIGNAL);
  if (replay) send(fd, replay, (size_t)replay_bytes, MSG_NOSIGNAL);
  clients[count++] = fd;
}

static void close_stream(int fd) {
  close(fd);
  for (int i = 0; i < count; i++)
    if (clients[i] == fd) {
      clients[i] = clients[--count];
      return;
    }
}

// "flat WINDOW BURST …" or "fixed EVENTS-PER-SECOND BURST …"
static void take_orders(char *line) {
  double rate;
  if (sscanf(line, "flat %d %d", &window, &burst) == 2) mode = FLAT, in_flight = 0;
  else if (sscanf(line, "fixed %lf %d", &rate, &burst) == 2) mode = FIXED, period = burst / rate, next_tick = now_s();
}

static void heard(int fd) {
  static char bytes[65536];
  if (fd == listener || fd == controller) {
    int accepted = accept(fd, NULL, NULL), one = 1;
    setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watch(accepted);
    if (fd == controller) control = accepted, mode = AWAITING_ORDERS;
    return;
  }
  ssize_t length = recv(fd, bytes, sizeof bytes - 1, 0);
  if (fd != control) {
    length > 0 ? open_stream(fd) : close_stream(fd);
  } else if (length <= 0) {
    close(fd), control = -1, mode = IDLE;
  } else if (mode == AWAITING_ORDERS) {
    bytes[length] = 0, take_orders(bytes);
  } else {
    in_flight -= length; // each byte says that one event has arrived everywhere
  }
}

static int time_to_wait(void) {
  if (mode != FIXED) return 1000;
  double left = next_tick - now_s();
  return left > 0 ? (int)(left * 1000) : 0;
}

static void prepare_replay(int wanted) {
  int length = 0;
  char *text = malloc((size_t)wanted * 256);
  for (int i = 0; i < wanted; i++) length += append_event(text + length);
  replay = malloc((size_t)length + 32);
  replay_bytes = frame(replay, text, length);
  free(text);
}

int main(int argc, char **argv) {
  int port = atoi(argv[1]);
  to_each = argc > 2 && !strcmp(argv[2], "each");
  if (argc > 3 && atoi(argv[3])) prepare_replay(atoi(argv[3]));
  poll_fd = epoll_create1(0);
  listener = listen_on(port), controller = listen_on(port + 1);
  puts("READY {}"), fflush(stdout);
  for (struct epoll_event ready[512];;) {
    int n = epoll_wait(poll_fd, ready, 512, time_to_wait());
    for (int i = 0; i < n; i++) heard(ready[i].data.fd);
    while (mode == FLAT && in_flight + burst <= window) publish(), in_flight += burst;
    while (mode == FIXED && now_s() >= next_tick) publish(), next_tick += period;
  }
}
