#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our HTTP/1.1 parsers against h11: whatever ours accept, h11 must frame alike: start line, fields, body, trailers, and where the next
message begins. Ours may refuse more, never less. Streams are made of sound and broken parts and then mutated.

    differential.py FRAMES [--count N] [--seed N]       FRAMES: the program pst-frames

Prints the seed first. Exits 1 at a difference that DIFFERENCES does not explain, 77 where h11 is missing.
"""
import argparse
import random
import subprocess
import sys

try:
    import h11
except ImportError:
    print("skipped: python3-h11 is not installed")
    sys.exit(77)


def sound(message):
    """What frames it in its head is written as plainly as can be."""
    values = {wanted: [value for name, value in message["fields"] if name.lower() == wanted] for wanted in (b"content-length", b"transfer-encoding")}
    lengths, codings = values.values()
    return len(lengths) + len(codings) <= 1 and all(one.isdigit() for one in lengths) and all(one.lower() == b"chunked" for one in codings)


# What we accept and h11 refuses, and why: a test on the kind of stream, the text from the message's beginning, our reading, h11's words.
DIFFERENCES = {
    "an empty line before a request: RFC 9112 2.2 has servers pass over one":
        lambda kind, text, message, why: kind == "Q" and text.startswith(b"\r\n") and "no request line" in why,
    "a trailer that would frame: we leave it out and never read it, h11 judges it like one of the head (RFC 9110 6.5.1)":
        lambda kind, text, message, why: sound(message) and ("Content-Length" in why or "Transfer-Encoding" in why),
    "101 is for the proxy to judge, which knows whether a switch was asked for; h11 knows of no request for one":
        lambda kind, text, message, why: kind != "Q" and message["start"][0] == 101 and "pending proposal" in why,
}

LENGTHS = [b"0", b"5", b"05", b"+5", b"5 ", b"5,5", b"5, 6", b"0x5", b"-1", b"", b"5\t", b"99999999999999999999", b"1_0", b"5;", b"\xb2"]
CODINGS = [b"chunked", b"Chunked", b"chunked ", b" chunked", b"\tchunked", b"chunked,", b",chunked", b"chunked, chunked", b"gzip, chunked",
           b"chunked, gzip", b"identity", b"\x0bchunked", b"chunked;a", b"x chunked", b"\"chunked\"", b""]
NAMES = [b"Content-Length", b"content-length", b"Content-Length ", b"Content_Length", b"Transfer-Encoding", b"transfer-encoding",
         b"Transfer-Encoding\t", b"Transfer_Encoding", b"Host", b"X-Any", b"Connection", b"TE", b"Trailer", b"Expect", b"X\x00", b"",
         b" X", b"Upgrade", b"\xc3\xa9"]
VALUES = [b"a", b"a.example", b"", b"  b  ", b"close", b"keep-alive", b"trailers", b"100-continue", b"a\x00b", b"a\rb", b"\xe9", b"a\x7f",
          b"a\tb", b"Content-Length", b"websocket"]
TARGETS = [b"/", b"/a?b", b"*", b"http://a.example/x", b"a.example:443", b"/a b", b"/\xe9", b"/#", b"//", b"", b"/%00"]
METHODS = [b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"CONNECT", b"get", b"G(T", b""]
VERSIONS = [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/1.1 ", b"http/1.1", b"HTTP/01.1", b""]
ENDS = [b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n ", b"\r\n\t", b"\x0b\r\n", b""]
SIZES = [b"5", b"05", b"A", b"0x5", b" 5", b"5 ", b"5;a", b"5;a=b", b"5;a=\"\r\"", b"5;", b"5;\n", b"-5", b"+5", b"5_", b"", b"10000000000000005", b"FFFFFFFFFFFFFFFF5"]
SPLICES = [b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b";", b"0\r\n\r\n", b"\r\n\r\n", b"5\r\nhello\r\n", b"chunked", b"GET / HTTP/1.1\r\n",
           b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: a.example\r\n", b"\xff", b"\x0b", b"\x0c", b"_", b"hello"]


class Streams:
    """Random streams; mostly sound, so that what is broken is looked at by itself."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, usual, others, odds=0.94):
        return usual if self.random.random() < odds else self.random.choice(others)

    def line(self, text):
        return text + self.pick(b"\r\n", ENDS, 0.985)

    def field(self):
        name = self.random.choice(NAMES[8:13]) if self.random.random() < 0.8 else self.random.choice(NAMES)
        kind = name.strip().lower().replace(b"_", b"-")
        values = {b"content-length": LENGTHS, b"transfer-encoding": CODINGS}.get(kind, VALUES[:8] if self.random.random() < 0.9 else VALUES)
        return self.line(name + b":" + self.pick(b" ", [b"", b"  ", b"\t", b"\r\n "], 0.95) + self.random.choice(values))

    def chunks(self):
        body = b""
        for _ in range(self.random.randrange(3)):
            body += self.line(self.pick(b"5", SIZES, 0.85)) + b"hello" + self.pick(b"\r\n", ENDS, 0.97)
        body += self.line(self.pick(b"0", [b"00", b"0;a", b"0 ", b""], 0.95))
        for _ in range(self.random.choice([0, 0, 0, 1, 2])):
            body += self.field()
        return body + self.pick(b"\r\n", ENDS, 0.97)

    def head(self, start):
        fields = [self.field() for _ in range(self.random.choice([0, 0, 1, 2, 3]))]
        body = b""
        framing = self.random.random()
        if framing < 0.35:
            value = self.pick(b"5", LENGTHS, 0.9)
            fields.append(self.line(self.pick(b"Content-Length", NAMES[:4], 0.95) + b": " + value))
            body = b"hello" if self.random.random() < 0.95 else b"hell"
        elif framing < 0.75:
            fields.append(self.line(self.pick(b"Transfer-Encoding", NAMES[4:8], 0.95) + b": " + self.pick(b"chunked", CODINGS, 0.9)))
            body = self.chunks()
        if start[:4] != b"HTTP":
            fields += [self.line(self.pick(b"Host: a.example", [b"Host: ", b"Host: a, b", b"Host: u@a", b"Host: [::1]:80", b""], 0.95))]
        self.random.shuffle(fields)
        return self.line(start) + b"".join(fields) + self.pick(b"\r\n", ENDS, 0.99) + body

    def request(self):
        words = [self.pick(b"POST", METHODS, 0.7), self.pick(b"/", TARGETS, 0.8), self.pick(b"HTTP/1.1", VERSIONS, 0.9)]
        return self.pick(b"", [b"\r\n", b"\n", b" "], 0.97) + self.head(self.pick(b" ", [b"  ", b"\t"], 0.99).join(words))

    def response(self):
        status = self.pick(b"200", [b"100", b"101", b"103", b"204", b"304", b"404", b"599", b"600", b"099", b"20", b"2000"], 0.75)
        return self.head(self.pick(b"HTTP/1.1", [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"ICY"], 0.9) + b" " + status + self.pick(b" OK", [b"", b" ", b"  O K", b" \xe9", b" \x01"], 0.9))

    def mutated(self, text):
        for _ in range(self.random.choice([0, 0, 0, 1, 1, 2, 3])):
            at = self.random.randrange(len(text) + 1)
            until = min(len(text), at + self.random.choice([0, 0, 1, 1, 2, 8]))
            splice = self.random.choice([b"", self.random.choice(SPLICES), bytes([self.random.randrange(256)]), text[at:at + 20]])
            text = text[:at] + splice + text[until:]
        return text

    def stream(self):
        kind = self.random.choice("QQQGGH")
        if kind == "Q":
            return kind, self.mutated(b"".join(self.request() for _ in range(self.random.choice([1, 1, 2, 3]))))
        return kind, self.mutated(self.response() + self.pick(b"", [b"x", b"HTTP/1.1 200 OK\r\n\r\n"], 0.8))


def ours(program, streams):
    """For each stream: ([message, ...], how it ended)."""
    packed = b"".join(kind.encode() + len(text).to_bytes(4, "big") + text for kind, text in streams)
    done = subprocess.run([program], input=packed, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{program} failed:\n{done.stderr.decode()}")

    def bytes_of(word):
        return bytes.fromhex(word[1:])

    def fields_of(word):
        return [tuple(line.split(b":", 1)) for line in bytes_of(word).split(b"\n")[:-1]]
    results, messages = [], []
    for line in done.stdout.decode().splitlines():
        words = line.split()
        if words[0] != "message":
            results.append((messages, line))
            messages = []
            continue
        start = (bytes_of(words[1]) if words[1][0] == "-" else int(words[1]), bytes_of(words[2]))
        messages.append({"start": start, "minor": int(words[3]), "fields": fields_of(words[4]), "body": bytes_of(words[5]),
                         "trailers": fields_of(words[6]), "end": int(words[7])})
    return results


def theirs(kind, text):
    """One message of h11's, or None with its reason. `end` is where the next begins."""
    connection = h11.Connection(h11.SERVER if kind == "Q" else h11.CLIENT, max_incomplete_event_size=1 << 20)
    if kind != "Q":
        connection.send(h11.Request(method="HEAD" if kind == "H" else "GET", target="/", headers=[("Host", "a")]))
        connection.send(h11.EndOfMessage())
    message, at_end = {"body": b""}, False
    connection.receive_data(text)
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                message["start"] = (event.method, event.target)
            elif isinstance(event, h11.Response):
                message["start"] = (event.status_code, event.reason)
            elif isinstance(event, h11.Data):
                message["body"] += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                message["trailers"] = list(event.headers.raw_items()) if event.headers else []
                message["end"] = len(text) - len(connection.trailing_data[0])
                return message, ""
            elif isinstance(event, h11.InformationalResponse):
                continue
            elif event is h11.NEED_DATA and kind != "Q" and not at_end:
                connection.receive_data(b"")
                at_end = True
            else:
                return None, str(event)
            if isinstance(event, (h11.Request, h11.Response)):
                message["minor"] = int(event.http_version[-1:])
                message["fields"] = list(event.headers.raw_items())
    except h11.ProtocolError as error:
        return None, str(error)


def plain(fields):
    return [(bytes(name).lower(), bytes(value).lower() if bytes(name).lower() == b"transfer-encoding" else bytes(value)) for name, value in fields]


def is_part(small, large):
    rest = iter(large)
    return all(one in rest for one in small)


def difference(message, other, begin):
    """Of two readings, in words; None if there is none."""
    wanted = {"start": message["start"], "minor": message["minor"], "body": message["body"], "end": message["end"] - begin}
    for key, value in wanted.items():
        if other[key] != value:
            return f"{key}: ours {value!r}, h11's {other[key]!r}"
    if plain(message["fields"]) != plain(other["fields"]):
        return f"fields: ours {message['fields']!r}, h11's {other['fields']!r}"
    if not is_part(plain(message["trailers"]), plain(other["trailers"])):  # we leave some out
        return f"trailers: ours {message['trailers']!r}, h11's {other['trailers']!r}"
    return None


def compare(kind, text, messages, explained):
    """The first difference that nothing explains, or None. Counts the others in `explained`."""
    begin = 0
    for message in messages:
        if kind != "Q" and message["start"][0] < 200 and message["start"][0] != 101:
            continue  # h11 is asked for the final answer, and passes over these from the same place
        other, why = theirs(kind, text[begin:])
        found = f"h11 refuses what we accept: {why}" if other is None else difference(message, other, begin)
        if found:
            reason = next((name for name, holds in DIFFERENCES.items() if other is None and holds(kind, text[begin:], message, why)), None)
            if reason is None:
                return found
            explained[reason] += 1
        begin = message["end"]
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("frames")
    parser.add_argument("--count", type=int, default=50000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    args = parser.parse_args()
    print(f"seed {args.seed}, {args.count} streams, h11 {h11.__version__}", flush=True)
    source = Streams(args.seed)
    streams = [source.stream() for _ in range(args.count)]
    results = ours(args.frames, streams)
    explained = dict.fromkeys(DIFFERENCES, 0)
    bad = 0
    for (kind, text), (messages, _) in zip(streams, results, strict=True):
        found = compare(kind, text, messages, explained)
        if found is None:
            continue
        bad += 1
        if bad <= 10:
            print(f"{kind} {text!r}\n    {found}")
    accepted = sum(len(messages) for messages, _ in results)
    print(f"{accepted} messages accepted and compared, {sum(how == 'rejected' for _, how in results)} streams refused, {bad} differences")
    for name, count in explained.items():
        print(f"    {count}: {name}")
    if accepted < args.count // 5:
        sys.exit("too few messages are sound: this compares nothing")
    sys.exit(bad != 0)


if __name__ == "__main__":
    main()
