// Counts the events of a stream with `content-encoding: gzip`: takes the chunks apart, and inflates what is in them.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#if !__has_include(<zlib.h>)

typedef struct {
  int unused;
} Inflater;
static Inflater *new_inflater(void) { fprintf(stderr, "load: built without zlib.h, so it reads no gzip\n"), exit(3); }
static uint64_t inflate_marks(Inflater *inflater, const char *bytes, size_t length) { return inflater && bytes ? length : 0; }

#else
#include <zlib.h>

typedef struct {
  z_stream zlib;
  int in_head, matched; // of the blank line that ends the head
  size_t left, size;    // bytes to come of this chunk, or its size as far as it was read
  int in_size;
} Inflater;

static Inflater *new_inflater(void) {
  Inflater *inflater = calloc(1, sizeof *inflater);
  inflater->in_head = 1;
  inflateInit2(&inflater->zlib, 15 + 16);
  return inflater;
}

static uint64_t marks_in(Inflater *inflater, const char *bytes, size_t length) {
  static char plain[1 << 16];
  z_stream *zlib = &inflater->zlib;
  uint64_t marks = 0;
  zlib->next_in = (Bytef *)bytes, zlib->avail_in = (uInt)length;
  do {
    zlib->next_out = (Bytef *)plain, zlib->avail_out = sizeof plain;
    int result = inflate(zlib, Z_SYNC_FLUSH);
    if (result != Z_OK && result != Z_BUF_ERROR) fprintf(stderr, "load: the stream is no gzip: %d\n", result), exit(1);
    for (size_t i = 0, n = sizeof plain - zlib->avail_out; i < n; i++) marks += plain[i] == '~';
  } while (zlib->avail_out == 0 || zlib->avail_in > 0);
  return marks;
}

static int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1; }

static uint64_t inflate_marks(Inflater *inflater, const char *bytes, size_t length) {
  uint64_t marks = 0;
  for (size_t i = 0; i < length;) {
    if (inflater->in_head) {
      inflater->matched = bytes[i] == "\r\n\r\n"[inflater->matched] ? inflater->matched + 1 : bytes[i] == '\r';
      if (inflater->matched == 4) inflater->in_head = 0, inflater->in_size = 1;
      i++;
    } else if (inflater->in_size) {
      int digit = hex_digit(bytes[i]);
      if (digit >= 0) inflater->size = inflater->size * 16 + (size_t)digit;
      if (bytes[i] == '\n' && inflater->size) inflater->left = inflater->size, inflater->size = 0, inflater->in_size = 0;
      i++; // the line end behind a chunk is an empty size, and passed over
    } else {
      size_t some = inflater->left < length - i ? inflater->left : length - i;
      marks += marks_in(inflater, bytes + i, some);
      i += some;
      if ((inflater->left -= some) == 0) inflater->in_size = 1;
    }
  }
  return marks;
}

#endif
