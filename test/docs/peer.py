"""A client of docs/protocol.md: `python3 peer.py URL [CURSOR]` prints each event, each gap and why it ended, a line of JSON each."""
import codecs, email.utils, http.client, json, random, re, sys, time, urllib.error, urllib.request


class Over(Exception):
    """Nothing more will come, or another attempt would do no better."""


def lines(chunks):
    """Lines that end in LF, CR or CRLF, out of bytes that are cut anywhere."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest, begun, after_cr = "", False, False
    for chunk in chunks:
        text = decoder.decode(chunk)
        if text and not begun:
            begun, text = True, text.removeprefix("\ufeff")
        if text:
            text, after_cr = text.removeprefix("\n") if after_cr else text, text.endswith("\r")
        *whole, rest = re.split(r"\r\n|\r|\n", rest + text)
        yield from whole


def blocks(stream):
    """The fields of each block that is complete."""
    block = {}
    for line in stream:
        name, value = (*line.split(":", 1), "")[:2]
        value = value.removeprefix(" ")
        if line == "":
            yield block
            block = {}
        elif name == "data":
            block["data"] = f"{block['data']}\n{value}" if "data" in block else value
        elif name == "event" or (name == "id" and "\0" not in value) or (name == "retry" and re.fullmatch("[0-9]+", value)):
            block[name] = value


class Client:
    def __init__(self, url, cursor=""):
        self.url, self.cursor, self.text, self.ends = url, cursor, [], []
        self.retry, self.failures, self.silence = 1.0, 0, 45.0

    def run(self):
        while True:
            after, opened = 0.0, time.monotonic()
            try:
                self.attempt()
            except urllib.error.HTTPError as refusal:
                if refusal.code < 500 and refusal.code not in (408, 425, 429):
                    raise Over(f"status {refusal.code}") from refusal
                after = wait_of(refusal.headers.get("retry-after"))
            except (OSError, http.client.HTTPException):
                pass
            self.failures = 1 if time.monotonic() > opened + 5 else self.failures + 1
            time.sleep(max(self.retry, after) + random.random() * min(30.0, self.retry * 2**self.failures))

    def attempt(self):
        resume = {"last-event-id": self.cursor.encode().decode("latin-1")} if self.cursor else {}
        headers = {"accept": "text/event-stream", **resume}
        with urllib.request.urlopen(urllib.request.Request(self.url, headers=headers), timeout=self.silence) as response:
            if response.status != 200 or response.headers.get_content_type() != "text/event-stream":
                raise Over(f"status {response.status}, {response.headers.get('content-type')}")
            for block in blocks(lines(iter(lambda: response.read1(65536), b""))):
                self.take(block)

    def take(self, block):
        self.cursor = block.get("id", self.cursor)
        self.retry = int(block["retry"]) / 1000 if "retry" in block else self.retry
        event, data = block.get("event") or "message", block.get("data")
        if data is None:
            pass
        elif event == "$end":
            raise Over("interrupted" if self.ends else "end")
        elif event == "$ready":
            ready = json.loads(data)
            self.text, self.ends, self.silence = ready["text"], ready["ends"], 3 * ready["heartbeat"] / 1000 or None
        elif event == "$gap":
            say(gap=json.loads(data))
        elif not event.startswith("$"):
            self.failures = 0
            if {"event": event, "data": data} in self.ends:
                raise Over("complete")
            say(event=event, data=data if event in self.text else json.loads(data), id=self.cursor)
            if event in self.ends:
                raise Over("complete")


def wait_of(header):
    """Seconds of a `Retry-After`, which holds seconds or a date."""
    date = email.utils.parsedate_to_datetime(header) if header and not header.isdigit() else None
    return max(0.0, date.timestamp() - time.time()) if date else float(header or 0)


def say(**what):
    print(json.dumps(what), flush=True)


try:
    Client(*sys.argv[1:]).run()
except Over as over:
    say(over=str(over))
