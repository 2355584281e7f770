// The bytes that ask for a stream: one request of HTTP/1.1, or the preface of HTTP/2 and k requests.
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define REQUEST_BYTES 65536

// `path` may hold %d, for the number of the connection.
static int http1_request(char *out, const char *path, int number, int port, const char *header) {
  const char *place = strstr(path, "%d");
  int n = place ? sprintf(out, "GET %.*s%d%s", (int)(place - path), path, number, place + 2) : sprintf(out, "GET %s", path);
  return n + sprintf(out + n, " HTTP/1.1\r\nHost: localhost:%d\r\nAccept: text/event-stream\r\n%s%s\r\n", port, header, *header ? "\r\n" : "");
}

static int h2_frame(uint8_t *out, int length, uint8_t type, uint8_t flags, uint32_t stream) {
  uint8_t head[9] = {0, (uint8_t)(length >> 8), (uint8_t)length, type, flags, 0, (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};
  memcpy(out, head, sizeof head);
  return sizeof head;
}

// A header by its name's place in HPACK's static table, its value literal.
static int h2_header(uint8_t *out, int index, const char *value) {
  int n = 0, length = (int)strlen(value);
  if (index < 15) out[n++] = (uint8_t)index;
  else out[n++] = 0x0f, out[n++] = (uint8_t)(index - 15);
  out[n++] = (uint8_t)length;
  memcpy(out + n, value, (size_t)length);
  return n + length;
}

// Windows as large as they get, so that flow control costs the server nothing.
static int http2_requests(uint8_t *out, const char *path, int streams) {
  static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  static const uint8_t settings[] = {0, 4, 0x7f, 0xff, 0xff, 0xff}, window[] = {0x7f, 0xff, 0, 0};
  int n = (int)sizeof preface - 1;
  memcpy(out, preface, (size_t)n);
  n += h2_frame(out + n, sizeof settings, 4, 0, 0);
  memcpy(out + n, settings, sizeof settings), n += sizeof settings;
  n += h2_frame(out + n, sizeof window, 8, 0, 0);
  memcpy(out + n, window, sizeof window), n += sizeof window;
  for (int i = 0; i < streams; i++) {
    uint8_t block[512];
    int length = 0;
    block[length++] = 0x82; // :method GET
    block[length++] = 0x86; // :scheme http
    length += h2_header(block + length, 4, path);
    length += h2_header(block + length, 1, "localhost");
    length += h2_header(block + length, 19, "text/event-stream");
    n += h2_frame(out + n, length, 1, 5, (uint32_t)(1 + 2 * i)); // HEADERS, with END_HEADERS and END_STREAM
    memcpy(out + n, block, (size_t)length), n += length;
  }
  return n;
}
