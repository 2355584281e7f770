const utf8 = new TextEncoder()

/** Whether `text`, and `name` with it, take more than `limit` bytes of UTF-8. */
export function exceedsBytes(limit: number, text: string, name = ''): boolean {
  const units = text.length + name.length
  // A UTF-16 unit takes one to three bytes, so only text near the limit has to be counted.
  return units * 3 > limit && (units > limit || utf8.encode(text).byteLength + utf8.encode(name).byteLength > limit)
}
