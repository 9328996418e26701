// SPDX-License-Identifier: Apache-2.0
// For tests of HTTP/2: frames made and read by hand, owners that write down what they hear, and two sessions that talk to each other.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "userspace/http/h2_session.hpp"

namespace penstock::http::testing {

using namespace std::string_literals;
using Fields = std::vector<std::pair<std::string, std::string>>;

enum FrameType : unsigned { kData, kHeaders, kPriority, kRst, kSettings, kPush, kPing, kGoaway, kWindow, kContinuation };
enum FrameFlag : unsigned { kEndStream = 1, kAck = 1, kEndHeaders = 4, kPadded = 8 };
inline const std::string kMagic = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

inline std::string number(std::uint64_t value, int bytes) {
    std::string text;
    while (bytes-- > 0) {
        text += static_cast<char>(value >> 8 * bytes & 0xff);
    }
    return text;
}

inline std::string frame(unsigned type, unsigned flags, std::uint32_t id, std::string_view payload = {}) {
    return number(payload.size(), 3) + number(type, 1) + number(flags, 1) + number(id, 4) + std::string(payload);
}

// HPACK, literal without indexing, no Huffman.
inline std::string packed(std::string_view text) {
    std::string out;
    std::size_t size = text.size();
    if (size < 127) {
        out += static_cast<char>(size);
    } else {
        out += '\x7f';
        for (size -= 127; size >= 128; size /= 128) {
            out += static_cast<char>(size % 128 | 128);
        }
        out += static_cast<char>(size);
    }
    return out + std::string(text);
}

inline std::string block(const Fields& fields) {
    std::string out;
    for (const auto& [name, value] : fields) {
        out += "\0"s + packed(name) + packed(value);
    }
    return out;
}

inline Fields get(const std::string& path = "/", const Fields& more = {}) {
    Fields fields = {{":method", "GET"}, {":scheme", "https"}, {":authority", "a.example"}, {":path", path}};
    fields.insert(fields.end(), more.begin(), more.end());
    return fields;
}

inline std::string headers(std::uint32_t id, const Fields& fields, unsigned flags = kEndStream | kEndHeaders) {
    return frame(kHeaders, flags, id, block(fields));
}

inline std::string preface() { return kMagic + frame(kSettings, 0, 0); }

struct Frame {
    unsigned type, flags;
    std::uint32_t id;
    std::string payload;
    [[nodiscard]] std::uint32_t word(std::size_t at) const {
        std::uint32_t value = 0;
        for (std::size_t i = at; i < at + 4 && i < payload.size(); i++) {
            value = value << 8 | static_cast<unsigned char>(payload[i]);
        }
        return value;
    }
};

inline std::vector<Frame> frames_in(std::string_view bytes) {
    std::vector<Frame> frames;
    if (bytes.substr(0, kMagic.size()) == kMagic) {
        bytes.remove_prefix(kMagic.size());
    }
    while (bytes.size() >= 9) {
        const auto byte = [&bytes](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(bytes[i])); };
        const std::size_t size = byte(0) << 16 | byte(1) << 8 | byte(2);
        frames.push_back({byte(3), byte(4), byte(5) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8), std::string(bytes.substr(9, size))});
        bytes.remove_prefix(std::min(bytes.size(), 9 + size));
    }
    return frames;
}

inline const Frame* find(const std::vector<Frame>& frames, unsigned type, std::uint32_t id = 0) {
    for (const Frame& one : frames) {
        if (one.type == type && one.id == id) {
            return &one;
        }
    }
    return nullptr;
}

// A stream's owner.
struct Listener final : H2StreamEvents {
    H2Stream* stream = nullptr;
    H2Request request;
    std::vector<H2Response> responses;
    std::string body;
    H2Trailers trailers;
    H2Reset reset;
    Reject refused = Reject::none;
    int sent = 0, resets = 0;
    bool ended = false, consumes = true;
    bool answered = false, finished = false;  // what the owner has done, if it notes it

    void on_response(H2Response response) override {
        ended = ended || response.ended;
        responses.push_back(std::move(response));
    }
    void on_data(std::string_view data) override {
        body += data;
        if (consumes) {
            stream->consume(data.size());
        }
    }
    void on_end(H2Trailers last) override {
        trailers = std::move(last);
        ended = true;
    }
    void on_sent() override { sent++; }
    void on_reset(const H2Reset& why) override {
        reset = why;
        resets++;
    }
    void release() { std::exchange(stream, nullptr)->release(); }
};

// A session's owner: keeps what it hears by stream.
struct Owner final : H2SessionEvents {
    std::map<std::int32_t, std::unique_ptr<Listener>> streams;
    std::vector<std::uint32_t> goaways;
    int settings = 0;

    Listener& listener(std::int32_t id) { return *streams.at(id); }
    Listener& add(H2Stream& stream) {
        auto& made = streams[stream.id()] = std::make_unique<Listener>();
        made->stream = &stream;
        stream.listen(made.get());
        return *made;
    }
    void on_request(H2Stream& stream, H2Request request) override {
        Listener& made = add(stream);
        made.ended = request.ended;
        made.request = std::move(request);
    }
    void on_refused(H2Stream& stream, Reject why) override { add(stream).refused = why; }
    void on_settings() override { settings++; }
    void on_goaway(std::uint32_t code) override { goaways.push_back(code); }
    void release_all() { release(true); }
    void release_finished() { release(false); }

private:
    void release(bool all) {
        for (auto& [id, one] : streams) {
            if (one->stream != nullptr && (all || one->resets != 0 || one->refused != Reject::none)) {
                one->release();
            }
        }
    }
};

// One session, whose peer is the test.
struct Side {
    explicit Side(H2Role role = H2Role::server, const H2Settings& with = {}) : settings(with), session(role, settings, owner, now) {}
    ~Side() { owner.release_all(); }
    Side(const Side&) = delete;
    Side& operator=(const Side&) = delete;

    bool feed(std::string_view bytes) { return session.feed(bytes, now); }
    std::string output(std::size_t cap = 1 << 20) {
        std::string out;
        session.output(out, cap, now);
        return out;
    }
    std::vector<Frame> frames(std::size_t cap = 1 << 20) { return frames_in(output(cap)); }
    Listener& stream(std::int32_t id) { return owner.listener(id); }

    std::uint64_t now = 1000;
    H2Settings settings;
    Owner owner;
    H2Session session;
};

// A client and a server.
struct Pair {
    explicit Pair(const H2Settings& with = {}) : client(H2Role::client, with), server(H2Role::server, with) { run(); }
    void run() {
        for (bool more = true; more;) {
            const std::string there = client.output(), back = server.output();
            server.feed(there);
            client.feed(back);
            more = !there.empty() || !back.empty();
        }
    }
    Listener& open(const H2Target& target, const Headers& headers, bool end) {
        auto made = std::make_unique<Listener>();
        made->stream = client.session.open(target, headers, end, *made);
        const std::int32_t id = made->stream->id();
        return *(client.owner.streams[id] = std::move(made));
    }
    Listener& get(std::string_view path = "/") { return open({"GET", "https", "a.example", path}, {}, true); }

    Side client, server;
};

}  // namespace penstock::http::testing
