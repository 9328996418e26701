// SPDX-License-Identifier: Apache-2.0
// Peers that mean harm: each flood ends in its own fault, within bounded work and memory; and what clients really do is no flood.
#include <algorithm>
#include <functional>
#include <set>

#include "tools/test/catch.hpp"
#include "userspace/http/test_h2.hpp"

using namespace penstock::http;
using namespace penstock::http::testing;

namespace {

const unsigned kLast = kEndStream | kEndHeaders;

std::uint32_t odd(int i) { return static_cast<std::uint32_t>(2 * i + 1); }

struct Row {
    H2Fault fault;
    const char* name;
    int count;
    std::function<std::string(int)> piece;
    bool reads = true;           // and our answers are fetched
    bool acknowledges = true;    // our SETTINGS
};

// What a server says last that is fed the pieces until it complains.
std::vector<Frame> flood(Side& server, const Row& row) {
    std::string said;
    for (int i = 0; i < row.count && server.session.fault() == H2Fault::none; i++) {
        server.feed(row.piece(i));
        said = row.reads ? server.output() : said;
        server.owner.release_finished();
    }
    return frames_in(said + server.output());
}

// A header block that refers to one large field again and again: one byte makes 4 KB.
std::string bomb(std::uint32_t id) {
    const std::string name = "x", value(3900, 'v');
    std::string fields = block(get()) + "\x40"s + packed(name) + packed(value);
    fields += std::string(10000, '\xbe');  // the newest entry of the dynamic table
    return frame(kHeaders, kLast, id, fields);
}

std::vector<Row> rows() {
    using enum H2Fault;
    return {
        {rapid_reset, "requests that are taken back at once", 400, [](int i) { return headers(odd(i), get()) + frame(kRst, 0, odd(i), number(8, 4)); }},
        {rapid_reset, "the same, in one piece", 1,
         [](int) {
             std::string all;
             for (int i = 0; i < 400; i++) {
                 all += headers(odd(i), get()) + frame(kRst, 0, odd(i), number(8, 4));
             }
             return all;
         }},
        {rapid_reset, "resets of one stream", 400, [](int i) { return (i == 0 ? headers(1, get()) : "") + frame(kRst, 0, 1, number(8, 4)); }},
        {peer_errors, "MadeYouReset: windows that overflow", 200, [](int i) { return headers(odd(i), get(), kEndHeaders) + frame(kWindow, 0, odd(i), number(0x7fffffff, 4)); }},
        {peer_errors, "MadeYouReset: bodies that are too long", 200,
         [](int i) { return headers(odd(i), get("/", {{"content-length", "1"}}), kEndHeaders) + frame(kData, 0, odd(i), "12"); }},
        {peer_errors, "malformed requests", 200, [](int i) { return headers(odd(i), get("/", {{"X", "y"}})); }},
        {settings_flood, "SETTINGS", 200, [](int) { return frame(kSettings, 0, 0, number(4, 2) + number(65535, 4)); }},
        {ping_flood, "PING", 400, [](int) { return frame(kPing, 0, 0, "12345678"); }},
        {empty_data_flood, "DATA without data", 300, [](int i) { return (i == 0 ? headers(1, get(), kEndHeaders) : "") + frame(kData, 0, 1); }},
        {empty_data_flood, "DATA that is padding only", 300, [](int i) { return (i == 0 ? headers(1, get(), kEndHeaders) : "") + frame(kData, kPadded, 1, "\0"s); }},
        {window_update_flood, "WINDOW_UPDATE", 2000, [](int) { return frame(kWindow, 0, 0, number(1, 4)); }},
        {priority_flood, "PRIORITY", 400, [](int i) { return frame(kPriority, 0, odd(i), number(0, 4) + "\x10"); }},
        {priority_flood, "PRIORITY_UPDATE", 400, [](int i) { return frame(16, 0, 0, number(odd(i), 4) + "u=1"); }},
        {continuation_flood, "a header block without end", 100, [](int i) { return i == 0 ? headers(1, get(), kEndStream) : frame(kContinuation, 0, 1, block({{"x", "y"}})); }},
        {continuation_flood, "the same, of nothing", 100, [](int i) { return i == 0 ? headers(1, get(), 0) : frame(kContinuation, 0, 1); }},
        {header_flood, "an HPACK bomb", 1, [](int) { return bomb(1); }},
        {header_flood, "an HPACK bomb in trailers", 1, [](int) { return headers(1, get(), kEndHeaders) + bomb(1); }},
        {useless_frame_flood, "unknown frames", 300, [](int) { return frame(0xfa, 0, 0, "x"); }},
        {useless_frame_flood, "GOAWAY", 300, [](int i) { return (i == 0 ? headers(1, get(), kEndHeaders) : "") + frame(kGoaway, 0, 0, number(0, 4) + number(0, 4)); }},
        {queue_flood, "control frames from one who does not read", 280,
         [](int i) { return i % 3 == 0 ? frame(kSettings, 0, 0) : frame(kPing, 0, 0, "12345678"); }, false},
        {queue_flood, "streams beyond the limit from one who does not read", 1300, [](int i) { return headers(odd(i), get(), kEndHeaders); }, false, false},
        {bad_preface, "HTTP/1.1", 1, [](int) { return "GET / HTTP/1.1\r\nHost: a\r\n\r\n"s; }},
        {protocol, "DATA on no stream", 1, [](int) { return frame(kData, 0, 0, "x"); }},
    };
}

}  // namespace

TEST_CASE("h2 flood: each ends the connection with its own reason") {
    std::set<H2Fault> produced;
    for (const Row& row : rows()) {
        INFO(row.name);
        Side server;
        if (row.fault != H2Fault::bad_preface) {
            server.feed(preface());
            server.output();
            server.feed(row.acknowledges ? frame(kSettings, kAck, 0) : "");
        }
        const auto frames = flood(server, row);
        CHECK(name_of(server.session.fault()) == name_of(row.fault));
        REQUIRE(!frames.empty());
        CHECK(frames.back().type == kGoaway);
        CHECK(frames.back().word(4) == static_cast<std::uint32_t>(code_of(row.fault)));
        CHECK((row.fault == H2Fault::protocol || frames.back().payload.substr(8) == sentence_of(row.fault)));
        CHECK(server.session.closed());
        produced.insert(row.fault);
    }

    // All but `internal`, which is nghttp2's.
#define PST_X(name, code, text) CHECK((produced.count(H2Fault::name) == 1 || #name == "internal"s));
    PST_H2_FAULTS(PST_X)
#undef PST_X
}

TEST_CASE("h2 flood: a backend can flood too") {
    for (const Row& row : rows()) {
        if (row.fault != H2Fault::ping_flood && row.fault != H2Fault::settings_flood && row.fault != H2Fault::useless_frame_flood) {
            continue;
        }
        INFO(row.name);
        Side client(H2Role::client);
        client.feed(frame(kSettings, 0, 0));
        Listener asked;
        asked.stream = client.session.open({"GET", "https", "a", "/"}, {}, true, asked);
        client.output();
        for (int i = 0; i < row.count; i++) {
            client.feed(frame(row.fault == H2Fault::ping_flood ? kPing : row.fault == H2Fault::settings_flood ? kSettings : 0xfaU, 0, 0,
                              row.fault == H2Fault::ping_flood ? "12345678" : ""));
        }
        CHECK(name_of(client.session.fault()) == name_of(row.fault));
        CHECK(asked.reset.code == 11);
        asked.release();
    }
}

TEST_CASE("h2 flood: allowances come back with time, and are earned by work") {
    const auto reset = [](int i) { return headers(odd(i), get()) + frame(kRst, 0, odd(i), number(8, 4)); };
    SECTION("a reset now and then, for hours") {
        Side server;
        server.feed(preface());
        for (int i = 0; i < 5000; i++) {
            server.now += 40;
            REQUIRE(server.feed(reset(i)));
            server.owner.release_all();
            server.output();
        }
    }
    SECTION("a client that cancels every other request") {
        Side server;
        server.feed(preface());
        for (int i = 0; i < 2000; i += 2) {
            REQUIRE(server.feed(reset(i) + headers(odd(i + 1), get())));
            server.stream(2 * i + 3).stream->respond(204, {}, true);
            server.owner.release_all();
            server.output();
        }
    }
    SECTION("PING for each DATA frame, as gRPC measures") {
        Pair pair;
        Listener& asked = pair.get();
        pair.run();
        Listener& served = pair.server.stream(1);
        served.stream->respond(200, {}, false);
        for (int i = 0; i < 2000; i++) {
            served.stream->send_own("message", pair.server.now);
            pair.run();
            REQUIRE(pair.server.feed(frame(kPing, 0, 0, "12345678")));
            pair.server.output();
        }
        CHECK(asked.body.size() == 14000);
    }
}

TEST_CASE("h2 flood: streams that the owner has not let go count against the peer") {
    H2Settings settings;
    settings.streams_max = 10;
    Side server(H2Role::server, settings);
    server.feed(preface());
    for (int i = 0; i < 30; i++) {
        server.feed(headers(odd(i), get()) + frame(kRst, 0, odd(i), number(8, 4)));
    }
    CHECK(server.session.unreleased() == 20);
    const auto frames = server.frames();
    CHECK(std::count_if(frames.begin(), frames.end(), [](const Frame& one) { return one.type == kRst && one.word(0) == 7; }) <= 10);
    server.owner.release_all();
    CHECK(server.session.unreleased() == 0);
}

TEST_CASE("h2 flood: a window that stays closed shows, with the time since when") {
    Side server;
    server.feed(kMagic + frame(kSettings, 0, 0, number(4, 2) + number(0, 4)) + headers(1, get()));
    Listener& stream = server.stream(1);
    stream.stream->respond(200, {}, false);
    stream.stream->send_own(std::string(5000, 'x'), 5000);
    server.now = 6000;
    server.output();
    CHECK(stream.stream->window_closed());
    CHECK(stream.stream->stalled_since() == 5000);
    server.now = 7000;
    for (int i = 0; i < 100; i++) {
        server.feed(frame(kWindow, 0, 1, number(1, 4)));
        server.output();
    }
    CHECK(stream.stream->queued() == 4900);
    CHECK(stream.stream->stalled_since() == 5000);
    server.feed(frame(kWindow, 0, 1, number(2000, 4)));
    server.output();
    CHECK(stream.stream->stalled_since() == 7000);
}

TEST_CASE("h2 flood: a stream that its owner has let go still shows that it waits") {
    Side server;
    server.feed(kMagic + frame(kSettings, 0, 0, number(4, 2) + number(0, 4)) + headers(1, get()) + headers(3, get()));
    server.now = 5000;
    Listener& stream = server.stream(1);
    stream.stream->respond(200, {}, false);
    stream.stream->send_own(std::string(5000, 'x'), 5000);
    stream.stream->end();
    server.output();
    CHECK(server.session.stalled_since() == 0);  // its owner sees to it
    stream.stream->release();
    stream.stream = nullptr;
    CHECK(server.session.stalled_since() == 5000);
    server.now = 6000;
    server.feed(frame(kWindow, 0, 1, number(5000, 4)));
    server.output();
    CHECK(server.session.stalled_since() == 0);
}

TEST_CASE("h2 flood: the heads of a connection's streams are bounded together") {
    H2Settings settings;
    settings.heads_max = 1000;
    Side server(H2Role::server, settings);
    server.feed(preface());
    for (int i = 0; i < 30; i++) {
        server.feed(headers(odd(i), get()));
    }
    CHECK(server.stream(odd(0)).refused == Reject::none);
    CHECK(server.stream(odd(29)).refused == Reject::head_too_large);
    server.owner.release_all();
    server.feed(headers(odd(40), get()));
    CHECK(server.stream(odd(40)).refused == Reject::none);
}

TEST_CASE("h2 flood: a head that does not come to its end shows, with the time since when") {
    Side server;
    CHECK(server.session.head_since() == 0);
    server.feed("PRI");
    CHECK(server.session.head_since() == 1000);
    server.now = 2000;
    server.feed(preface().substr(3));
    CHECK(server.session.head_since() == 0);
    const std::string head = headers(1, get());
    server.feed(head.substr(0, 20));
    CHECK(server.session.head_since() == 2000);
    server.now = 3000;
    server.feed(head.substr(20));
    CHECK(server.session.head_since() == 0);
    server.feed(headers(3, get(), kEndStream));
    server.now = 4000;
    server.feed(frame(kContinuation, 0, 3));
    CHECK(server.session.head_since() == 3000);
    server.feed(frame(kContinuation, kEndHeaders, 3));
    CHECK(server.session.head_since() == 0);
    CHECK(server.owner.streams.size() == 2);
}

TEST_CASE("h2 flood: what nobody consumes is bounded by the windows") {
    H2Settings settings;
    settings.stream_window = 1000;
    settings.connection_window = 65535;
    Side server(H2Role::server, settings);
    server.feed(preface());
    server.output();
    server.feed(frame(kSettings, kAck, 0) + headers(1, get(), kEndHeaders));
    Listener& stream = server.stream(1);
    stream.consumes = false;
    server.feed(frame(kData, 0, 1, std::string(1000, 'x')));
    CHECK(stream.stream->unconsumed() == 1000);
    CHECK(find(server.frames(), kWindow, 1) == nullptr);
    server.feed(frame(kData, 0, 1, "x"));
    const auto frames = server.frames();
    const Frame* reset = find(frames, kRst, 1);
    REQUIRE(reset != nullptr);
    CHECK(reset->word(0) == static_cast<std::uint32_t>(H2Code::flow_control_error));
}

TEST_CASE("h2 flood: every fault has a name of its own and a sentence") {
    std::set<std::string_view> names;
#define PST_X(name, code, text) CHECK(names.insert(name_of(H2Fault::name)).second); CHECK(sentence_of(H2Fault::name) == text);
    PST_H2_FAULTS(PST_X)
#undef PST_X
    CHECK(code_of(H2Fault::none) == H2Code::no_error);
}
