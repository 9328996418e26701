// SPDX-License-Identifier: Apache-2.0
// Raw bytes from a client, and all that a backend got of them: what could be read in two ways is refused whole, and what is passed on
// is framed anew. Every case runs on both rings.
#include "userspace/proxy/testing.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

// Every request that the backend got: "POST /a hello", with "(cut)" if its end is missing.
class Witness {
public:
    [[nodiscard]] const Endpoint& at() const { return backend_.at(); }
    std::vector<std::string> seen() {
        const std::lock_guard lock(mutex_);
        return seen_;
    }
    void clear() {
        const std::lock_guard lock(mutex_);
        seen_.clear();
    }

private:
    void serve(Peer& peer) {
        for (;;) {
            const Message request = peer.message();
            if (request.head.empty()) {
                return;
            }
            std::string line = request.start().substr(0, request.start().rfind(' '));
            line += request.body.empty() ? "" : " " + request.body;
            line += request.trailers.empty() ? "" : " [" + request.trailers.substr(0, request.trailers.size() - 2) + "]";
            {
                const std::lock_guard lock(mutex_);
                seen_.push_back(line + (request.whole ? "" : " (cut)"));
            }
            if (!request.whole) {
                return;
            }
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(request.start().starts_with("HEAD") ? 4 : 2) + "\r\n\r\n" +
                      (request.start().starts_with("HEAD") ? "" : "ok"));
        }
    }

    std::mutex mutex_;
    std::vector<std::string> seen_;
    Backend backend_{[this](Peer& peer) { serve(peer); }};
};

struct Row {
    std::string name, sent;
    std::string statuses;           // of the answers, in order: "200 400"
    std::vector<std::string> seen;  // by the backend
    bool open = false;              // the connection can be used afterwards
};

std::string statuses_of(Peer& client, const std::string& methods) {
    std::string all;
    for (std::size_t i = 0;; ++i) {
        const Message answer = client.message(i < methods.size() && methods[i] == 'H' ? "HEAD" : "GET");
        if (answer.head.empty()) {
            return all;
        }
        all += (all.empty() ? "" : " ") + std::to_string(answer.status());
    }
}

std::string post(const std::string& fields, const std::string& body, const std::string& version = "1.1") {
    return "POST /a HTTP/" + version + "\r\nHost: a\r\n" + fields + "\r\n" + body;
}
const std::string kNext = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kChunked = "Transfer-Encoding: chunked\r\n";
const std::string kHidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

}  // namespace

TEST_CASE("framing: what is passed on is framed anew, and the next request is found where it begins") {
    const Row rows[] = {
        {"a length", post("Content-Length: 5\r\n", "hello") + kNext, "200 200", {"POST /a hello", "GET /next"}, true},
        {"a length with a GET", "GET /g HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + kNext, "200 200", {"GET /g hello", "GET /next"}, true},
        {"a body that looks like a request", post("Content-Length: " + std::to_string(kHidden.size()) + "\r\n", kHidden) + kNext, "200 200",
         {"POST /a " + kHidden, "GET /next"}, true},
        {"no body", post("", "") + kNext, "200 200", {"POST /a", "GET /next"}, true},
        {"chunks", post(kChunked, "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n") + kNext, "200 200", {"POST /a hello world", "GET /next"}, true},
        {"extensions go no further", post(kChunked, "5;a=b;c=\"d;\\\"\"\r\nhello\r\n0;e\r\n\r\n") + kNext, "200 200", {"POST /a hello", "GET /next"}, true},
        {"trailers are passed on", post(kChunked, "2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n") + kNext, "200 200", {"POST /a hi [X-Sum: 1]", "GET /next"}, true},
        {"trailers that frame, route or authenticate are not",
         post(kChunked, "0\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\nHost: b\r\nAuthorization: x\r\nX: 1\r\n\r\n") + kNext, "200 200",
         {"POST /a [X: 1]", "GET /next"}, true},
        {"an empty line before a request", "\r\n" + kNext, "200", {"GET /next"}, true},
        {"an absolute target", "GET http://a/x?y HTTP/1.1\r\nHost: a\r\n\r\n" + kNext, "200 200", {"GET /x?y", "GET /next"}, true},
        {"an asterisk is answered here", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n" + kNext, "200 200", {"GET /next"}, true},
        {"HEAD", "HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n" + kNext, "200 200", {"HEAD /h", "GET /next"}, true},
        {"HTTP/1.0 ends after its answer", "GET /old HTTP/1.0\r\nHost: a\r\n\r\n" + kHidden, "200", {"GET /old"}},
        {"close ends after its answer", "GET /c HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n" + kHidden, "200", {"GET /c"}},
        {"HTTP/1.0 has no Expect", post("Expect: 200-ok\r\nContent-Length: 2\r\n", "hi", "1.0"), "200", {"POST /a hi"}},
        {"fields that Connection names go, those that frame stay",
         post("Connection: X-Mine, Content-Length, Host, Transfer-Encoding\r\nContent-Length: 5\r\nX-Mine: 1\r\n", "hello") + kNext, "200 200",
         {"POST /a hello", "GET /next"}, true},
    };
    const ring::Kind kind = ring_kind();
    Witness witness;
    Edge edge(kind, http_snapshot({witness.at()}));
    for (const Row& row : rows) {
        INFO(row.name);
        witness.clear();
        Peer client = edge.client();
        client.send(row.sent);
        if (row.open) {
            client.end_sending();  // else it would wait for the next request
        }
        CHECK(statuses_of(client, row.sent.substr(0, 1)) == row.statuses);
        CHECK(witness.seen() == row.seen);
    }
}

TEST_CASE("framing: a request that could be read in two ways is refused, ends the connection, and no backend sees any of it") {
    const std::string nul(1, '\0');
    const std::string te = "Transfer-Encoding: ";
    const std::pair<std::string, std::string> rows[] = {
        {"length and encoding", post("Content-Length: 4\r\n" + kChunked, "0\r\n\r\n")},
        {"encoding and length", post(kChunked + "Content-Length: 4\r\n", "0\r\n\r\n")},
        {"two lengths", post("Content-Length: 5\r\nContent-Length: 0\r\n", "hello")},
        {"the same length twice", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")},
        {"a list of lengths", post("Content-Length: 5, 5\r\n", "hello")},
        {"a length with a sign", post("Content-Length: +5\r\n", "hello")},
        {"an encoding behind white space", post("Transfer-Encoding : chunked\r\nContent-Length: 5\r\n", "hello")},
        {"an encoding on the next line", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n")},
        {"an encoding that hides in a name", post("Transfer_Encoding: chunked\r\n", "0\r\n\r\n")},
        {"an encoding behind a bare LF", post("X: 1\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
        {"an encoding behind a bare CR", post("X: 1\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
        {"an encoding behind NUL", post(te + nul + "chunked\r\n", "0\r\n\r\n")},
        {"an encoding in quotes", post(te + "\"chunked\"\r\n", "0\r\n\r\n")},
        {"chunked twice", post(te + "chunked, chunked\r\n", "0\r\n\r\n")},
        {"chunked in two fields", post(kChunked + kChunked, "0\r\n\r\n")},
        {"chunked, then another", post(te + "chunked, identity\r\n", "0\r\n\r\n")},
        {"encoding in HTTP/1.0", post(kChunked, "0\r\n\r\n", "1.0")},
        {"a field that is folded", post("X: 1\r\n Content-Length: 5\r\n", "hello")},
        {"two Hosts", post("Host: b\r\n", "")},
        {"a target on another host", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"a chunk size with 0x", post(kChunked, "0x5\r\nhello\r\n0\r\n\r\n")},
        {"a chunk size that wraps", post(kChunked, "10000000000000000\r\nhello\r\n0\r\n\r\n")},
        {"a chunk size behind a space", post(kChunked, " 5\r\nhello\r\n0\r\n\r\n")},
        {"a chunk size before a space", post(kChunked, "5 \r\nhello\r\n0\r\n\r\n")},
        {"a chunk size before a bare LF", post(kChunked, "5\nhello\r\n0\r\n\r\n")},
        {"a chunk size before a bare CR", post(kChunked, "5\rhello\r\n0\r\n\r\n")},
        {"an extension that ends in a bare LF", post(kChunked, "5;a\nhello\r\n0\r\n\r\n")},
        {"an extension with a bare CR", post(kChunked, "5;a\rb\r\nhello\r\n0\r\n\r\n")},
        {"an extension without a name", post(kChunked, "5;\r\nhello\r\n0\r\n\r\n")},
        {"a chunk that is too long", post(kChunked, "5\r\nhello!\r\n0\r\n\r\n")},
        {"a chunk that ends in a bare LF", post(kChunked, "5\r\nhello\n0\r\n\r\n")},
        {"the second chunk is broken", post(kChunked, "5\r\nhello\r\nx\r\n0\r\n\r\n")},
        {"trailers that end in a bare LF", post(kChunked, "0\r\nX: 1\r\n\n")},
        {"a trailer with a space before the colon", post(kChunked, "0\r\nX : 1\r\n\r\n")},
        {"trailers that are folded", post(kChunked, "0\r\nX: 1\r\n 2\r\n\r\n")},
        {"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"},
    };
    const ring::Kind kind = ring_kind();
    Witness witness;
    Edge edge(kind, http_snapshot({witness.at()}));
    for (const auto& [name, sent] : rows) {
        INFO(name);
        Peer client = edge.client();
        client.send(sent + kHidden);
        CHECK(statuses_of(client, "G") == "400");
        CHECK(witness.seen().empty());
    }
    CHECK(edge.reasons(Reason::bad_request) == std::size(rows));
}

TEST_CASE("framing: a body that breaks after its request went on ends both connections") {
    const ring::Kind kind = ring_kind();
    Witness witness;
    Edge edge(kind, http_snapshot({witness.at()}));
    Peer client = edge.client();
    client.send(post(kChunked, "5\r\nhello\r\n"));
    CHECK(Edge::eventually([&] { return edge.stats().backend_connections_total == 1; }));
    client.send("x\r\n" + kHidden);
    const Message answer = client.message();
    CHECK(answer.status() == 400);
    CHECK(answer.body.find("a chunk's size") != std::string::npos);
    CHECK(client.ended());
    CHECK(Edge::eventually([&] { return witness.seen() == std::vector<std::string>{"POST /a hello (cut)"}; }));
    CHECK(edge.client().ask(kNext).status() == 200);
    CHECK(edge.stats().backend_reused_total == 0);
}
