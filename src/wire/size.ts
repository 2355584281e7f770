const utf8 = new TextEncoder()

/** Whether `text` takes more than `limit` bytes of UTF-8. */
export function exceedsBytes(text: string, limit: number): boolean {
  // A UTF-16 unit takes one to three bytes, so only text near the limit has to be counted.
  return text.length * 3 > limit && (text.length > limit || utf8.encode(text).byteLength > limit)
}
