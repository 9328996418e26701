// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "tools/test/catch.hpp"
#include "userspace/http/test_h2.hpp"

using namespace penstock::http;
using namespace penstock::http::testing;

namespace {

Headers fields(std::initializer_list<Header> list) {
    Headers headers;
    for (const Header& field : list) {
        headers.add(field.name, field.value);
    }
    return headers;
}

}  // namespace

TEST_CASE("h2: a request and its answer, heads only") {
    Pair pair;
    Listener& asked = pair.open({"GET", "https", "a.example:8443", "/a/b?c=d"},
                                fields({{"X-Name", "value"}, {"Cookie", "a=1"}, {"cookie", "b=2"}, {"Connection", "close"}, {"TE", "trailers"}}), true);
    pair.run();
    Listener& served = pair.server.stream(1);
    const RequestHead& head = served.request.head;
    CHECK(head.method == "GET");
    CHECK(head.path == "/a/b");
    CHECK(head.query == "c=d");
    CHECK(head.target == "/a/b?c=d");
    CHECK(head.host == "a.example:8443");
    CHECK(served.request.scheme == "https");
    CHECK(served.request.ended);
    CHECK(served.request.size == 7 + 3 + 7 + 5 + 10 + 14 + 5 + 8 + 6 + 5 + 2 * (6 + 3) + 2 + 8);
    CHECK(head.framing == Framing::none);
    CHECK(head.headers.begin()->name == "host");
    CHECK(head.headers.find("x-name") == "value");
    CHECK(head.headers.find("cookie") == "a=1; b=2");
    CHECK(head.headers.count("cookie") == 1);
    CHECK(head.headers.find("te") == "trailers");
    CHECK_FALSE(head.headers.has("connection"));

    served.stream->interim(103, fields({{"Link", "</a.css>"}}));
    served.stream->respond(204, fields({{"Server", "b"}, {"Transfer-Encoding", "chunked"}}), true);
    served.release();
    pair.run();
    REQUIRE(asked.responses.size() == 2);
    CHECK(asked.responses[0].head.status == 103);
    CHECK(asked.responses[0].head.headers.find("link") == "</a.css>");
    CHECK(asked.responses[1].head.status == 204);
    CHECK(asked.responses[1].ended);
    CHECK_FALSE(asked.responses[1].head.headers.has("transfer-encoding"));
    CHECK(pair.client.session.streams() == 0);
    CHECK(pair.server.session.streams() == 0);
    CHECK(pair.server.session.unreleased() == 0);
    CHECK(asked.resets == 0);
}

TEST_CASE("h2: bodies and trailers both ways") {
    Pair pair;
    Listener& asked = pair.open({"POST", "https", "a.example", "/"}, fields({{"content-length", "11"}}), false);
    const std::string first = "hello ", second = "world";
    asked.stream->send(first, 1000);
    asked.stream->send(second, 1000);
    asked.stream->end(fields({{"grpc-status", "0"}, {"content-type", "no"}}));
    CHECK(asked.stream->queued() == 11);
    pair.run();
    Listener& served = pair.server.stream(1);
    CHECK(asked.sent == 1);
    CHECK(asked.stream->queued() == 0);
    CHECK(served.request.head.framing == Framing::length);
    CHECK(served.request.head.content_length == 11);
    CHECK(served.body == "hello world");
    CHECK(served.ended);
    CHECK(served.trailers.fields.find("grpc-status") == "0");

    served.stream->respond(200, {}, false);
    served.stream->send_own("answer", 1000);
    served.stream->end(Headers());
    served.release();
    pair.run();
    CHECK(asked.body == "answer");
    CHECK(asked.ended);
    CHECK(asked.responses.at(0).head.framing == Framing::chunked);
    CHECK(pair.client.session.streams() == 0);
}

TEST_CASE("h2: trailers need no window, whether the body is before them or long gone") {
    H2Settings settings;
    settings.stream_window = 10;
    Pair pair(settings);
    Listener& asked = pair.get();
    asked.consumes = false;
    pair.run();
    Listener& served = pair.server.stream(1);
    served.stream->respond(200, {}, false);
    served.stream->send_own("0123456789", 1000);
    pair.run();
    CHECK(asked.body.size() == 10);
    served.stream->end(fields({{"grpc-status", "5"}}));
    pair.run();
    CHECK(asked.trailers.fields.find("grpc-status") == "5");
    CHECK(asked.ended);
}

TEST_CASE("h2: pressure passes through: nothing is framed beyond the windows or the cap, and consuming opens them") {
    Pair pair;
    Listener& asked = pair.get();
    asked.consumes = false;
    pair.run();
    Listener& served = pair.server.stream(1);
    const std::string body(200000, 'x');
    served.stream->respond(200, {}, false);
    served.stream->send(body, 1500);
    served.stream->end();
    pair.server.now = 2000;
    const std::string some = pair.server.output(5000);
    CHECK(some.size() >= 5000);
    CHECK(some.size() < 5000 + 1024 + 9);
    CHECK_FALSE(served.stream->window_closed());
    pair.client.feed(some);
    pair.run();
    CHECK(asked.body.size() == 65535);
    CHECK(served.stream->queued() == body.size() - 65535);
    CHECK(served.stream->window_closed());
    CHECK(served.stream->stalled_since() == 2000);
    CHECK_FALSE(pair.server.session.want_write());
    asked.stream->consume(40000);
    pair.server.now = 3000;
    pair.run();
    CHECK(asked.body.size() == 105535);
    CHECK(served.stream->stalled_since() == 3000);
    CHECK(served.sent == 0);
    asked.consumes = true;
    asked.stream->consume(asked.stream->unconsumed());
    pair.run();
    CHECK(asked.body == body);
    CHECK(served.sent == 1);
    CHECK(served.stream->stalled_since() == 0);
    CHECK(asked.ended);
}

TEST_CASE("h2: a reset is told to the other side once") {
    Pair pair;
    Listener& asked = pair.open({"POST", "https", "a.example", "/"}, {}, false);
    pair.run();
    Listener& served = pair.server.stream(1);
    SECTION("by the client") {
        asked.stream->reset(H2Code::cancel);
        pair.run();
        CHECK(served.resets == 1);
        CHECK(served.reset.code == 8);
        CHECK_FALSE(served.stream->is_open());
        served.stream->respond(200, {}, false);
        served.stream->send("late", 1000);
        served.stream->end();
        CHECK(served.stream->queued() == 0);
    }
    SECTION("by the server, as it knows that it did nothing") {
        served.stream->reset(H2Code::refused_stream);
        pair.run();
        CHECK(asked.resets == 1);
        CHECK(asked.reset.unprocessed);
        CHECK(served.resets == 0);
    }
    SECTION("by a release without an answer") {
        served.release();
        pair.run();
        CHECK(asked.reset.code == 2);
        CHECK_FALSE(asked.reset.unprocessed);
    }
    SECTION("by a release after the whole answer: the rest of the request is not wanted") {
        served.stream->respond(413, {}, false);
        served.stream->send_own("too large", 1000);
        served.stream->end();
        served.release();
        pair.run();
        CHECK(asked.body == "too large");
        CHECK(asked.ended);
        CHECK(asked.resets == 1);
        CHECK(asked.reset.code == 0);
    }
    CHECK(pair.server.session.streams() == 0);
    CHECK(pair.client.session.streams() == 0);
}

TEST_CASE("h2: a drain loses no request in flight, and closes when the last is done") {
    Pair pair;
    pair.get("/before");
    pair.run();
    pair.server.session.drain();
    const std::string notice = pair.server.output();
    Listener& flying = pair.get("/in-flight");
    const std::string requests = pair.client.output();
    pair.client.feed(notice);
    CHECK(pair.client.owner.goaways == std::vector<std::uint32_t>{0});
    CHECK_FALSE(pair.client.session.can_open());
    pair.server.feed(requests);
    CHECK(pair.server.owner.streams.size() == 2);
    pair.run();
    CHECK_FALSE(pair.server.session.closed());
    for (const int id : {1, 3}) {
        pair.server.stream(id).stream->respond(200, {}, true);
    }
    pair.run();
    CHECK(flying.responses.size() == 1);
    CHECK(pair.server.session.closed());
    CHECK(pair.client.session.closed());
}

TEST_CASE("h2: a stream above the line of a drain was not processed") {
    Pair pair;
    pair.server.session.drain_now();
    const std::string line = pair.server.output();
    Listener& late = pair.get();
    pair.client.output();
    pair.client.feed(line);
    CHECK(late.resets == 1);
    CHECK(late.reset.unprocessed);
}

TEST_CASE("h2: a client keeps to the limits of its peer") {
    H2Settings settings;
    settings.streams_max = 2;
    Pair pair(settings);
    CHECK(pair.client.session.peer_streams_max() == 2);
    CHECK(pair.client.owner.settings == 1);
    CHECK(pair.client.session.peer_connect_protocol());
    pair.get();
    Listener& second = pair.get();
    CHECK_FALSE(pair.client.session.can_open());
    Listener unheard;
    CHECK(pair.client.session.open({"GET", "https", "a", "/"}, {}, true, unheard) == nullptr);
    pair.run();
    second.stream->reset(H2Code::cancel);
    pair.run();
    CHECK(pair.client.session.can_open());
}

TEST_CASE("h2: extended CONNECT is a tunnel") {
    Pair pair;
    Listener& asked = pair.open({"CONNECT", "https", "a.example", "/chat", "websocket"}, fields({{"sec-websocket-version", "13"}}), false);
    pair.run();
    Listener& served = pair.server.stream(1);
    CHECK(served.request.protocol == "websocket");
    CHECK(served.request.head.path == "/chat");
    CHECK(served.request.head.framing == Framing::until_close);
    served.stream->respond(200, {}, false);
    served.stream->send_own("down", 1000);
    asked.stream->send("up", 1000);
    pair.run();
    CHECK(asked.responses.at(0).head.framing == Framing::until_close);
    CHECK(asked.body == "down");
    CHECK(served.body == "up");
    asked.stream->end();
    pair.run();
    CHECK(served.ended);
}

TEST_CASE("h2: an end needs no window either") {
    H2Settings settings;
    settings.stream_window = 10;
    Pair pair(settings);
    Listener& asked = pair.get();
    asked.consumes = false;
    pair.run();
    Listener& served = pair.server.stream(1);
    served.stream->respond(200, fields({{"content-length", "10"}}), false);
    served.stream->send_own("0123456789", 1000);
    pair.run();
    served.stream->end();
    pair.run();
    CHECK(asked.ended);
    CHECK(asked.trailers.fields.empty());
}

TEST_CASE("h2: when the connection is given up every stream hears it, and a GOAWAY says why") {
    Side server;
    server.feed(preface() + headers(1, get()) + headers(3, get("/two"), kEndHeaders));
    server.output();
    REQUIRE(server.owner.streams.size() == 2);
    SECTION("by nghttp2") {
        server.feed(frame(kData, kPadded, 3, "\x09 too short for that padding"));
        server.feed(frame(kData, kPadded, 3, "\x40 too short for that padding"));
        const auto frames = server.frames();
        const Frame* goaway = find(frames, kGoaway);
        REQUIRE(goaway != nullptr);
        CHECK(goaway->word(0) == 3);
        CHECK(goaway->word(4) == 1);
        CHECK(server.session.fault() == H2Fault::protocol);
        CHECK(server.session.detail() == "DATA: invalid padding");
        CHECK(server.stream(1).reset.code == 1);
    }
    SECTION("by the owner") {
        server.session.close(H2Code::enhance_your_calm);
        CHECK(server.session.want_write());
        CHECK(server.stream(1).reset.code == 11);
        const auto frames = server.frames();
        REQUIRE(frames.size() == 1);
        CHECK(frames[0].type == kGoaway);
        CHECK(frames[0].word(0) == 3);
        CHECK(frames[0].word(4) == 11);
    }
    CHECK(server.stream(1).resets == 1);
    CHECK(server.stream(3).resets == 1);
    CHECK(server.session.streams() == 0);
    CHECK_FALSE(server.feed("more"));
    CHECK_FALSE(server.session.want_write());
    CHECK(server.session.closed());
    CHECK(server.output().empty());
}

namespace {

// An owner that ends the connection from within an event.
struct Closer final : H2SessionEvents, H2StreamEvents {
    enum When { request, data, sent } when = request;
    H2Session* session = nullptr;
    H2Stream* stream = nullptr;
    int requests = 0, resets = 0;

    void close_if(When now) {
        if (when == now) {
            session->close(H2Code::internal_error);
        }
    }
    void on_request(H2Stream& made, H2Request) override {
        requests++;
        stream = &made;
        made.listen(this);
        close_if(request);
    }
    void on_data(std::string_view) override { close_if(data); }
    void on_end(H2Trailers) override {}
    void on_sent() override { close_if(sent); }
    void on_reset(const H2Reset&) override {
        resets++;
        std::exchange(stream, nullptr)->release();
    }
};

}  // namespace

TEST_CASE("h2: an event may close the session and release its stream") {
    const H2Settings settings;
    for (const auto when : {Closer::request, Closer::data, Closer::sent}) {
        INFO(when);
        Closer owner;
        owner.when = when;
        H2Session session(H2Role::server, settings, owner, 1000);
        owner.session = &session;
        session.feed(preface() + headers(1, get(), kEndHeaders) + frame(kData, 0, 1, "x") + frame(kData, kEndStream, 1, "y"), 1000);
        if (when == Closer::sent) {
            owner.stream->respond(200, {}, false);
            owner.stream->send("body", 1000);
            owner.stream->end();
        }
        std::string out;
        session.output(out, 65536, 1000);
        CHECK(owner.requests == 1);
        CHECK(owner.resets == 1);
        CHECK(session.unreleased() == 0);
        CHECK(session.closed());
        CHECK(frames_in(out).back().type == kGoaway);
        CHECK_FALSE(session.feed(headers(3, get()), 1000));
    }
}

TEST_CASE("h2: streams share the connection evenly, unless their requests say what is urgent") {
    Side server;
    const auto order = [&server](const Fields& first, const Fields& second) {
        static std::uint32_t id = 1;
        server.feed(headers(id, get("/", first)) + headers(id + 2, get("/", second)));
        for (const std::uint32_t one : {id, id + 2}) {
            H2Stream& stream = *server.stream(static_cast<std::int32_t>(one)).stream;
            stream.respond(200, {}, false);
            stream.send_own(std::string(15000, 'x'), 1000);
            stream.end();
        }
        std::string turns;
        for (int i = 0; i < 100 && server.session.want_write(); i++) {
            for (const Frame& one : server.frames(3000)) {
                turns += one.type == kData && (turns.empty() || turns.back() != (one.id == id ? '1' : '2')) ? (one.id == id ? "1" : "2") : "";
            }
        }
        id += 4;
        return turns;
    };
    server.feed(preface() + frame(kWindow, 0, 0, number(1 << 20, 4)));
    server.output();
    CHECK(order({}, {}).size() > 4);
    CHECK(order({{"priority", "u=3, i"}}, {{"priority", "i"}}).size() > 4);
    CHECK(order({{"priority", "u=5"}}, {{"priority", "u=1"}}) == "21");
    CHECK(order({{"priority", "u=1"}}, {}) == "12");
    CHECK(order({{"priority", "nonsense=1, u=9"}}, {{"priority", ""}}) == "12");
}
