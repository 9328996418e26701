// SPDX-License-Identifier: Apache-2.0
// Both roles against a peer that sends anything. First an owner who only listens: the outcome does not depend on how the bytes were cut.
// Then one who answers, sends, consumes, resets and releases at any time, as the input says.
#include <cstdlib>

#include "userspace/http/parser.hpp"
#include "userspace/http/test_h2.hpp"

using namespace penstock::http;
using namespace penstock::http::testing;

namespace {

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

const H2Settings& settings() {
    static const H2Settings made{.streams_max = 8, .stream_window = 2000, .limits = {.head_bytes_max = 2048, .headers_max = 12}};
    return made;
}

void check(const Headers& fields) {
    for (const Header& field : fields) {
        require(is_token(field.name) && is_field_value(field.value));
    }
}

void check(const Owner& owner) {
    for (const auto& [id, one] : owner.streams) {
        const RequestHead& head = one->request.head;
        check(head.headers);
        check(one->trailers.fields);
        require(head.method.empty() || (is_token(head.method) && is_host(head.host)));
        require(head.path.empty() || is_target_text(head.target));
        for (const H2Response& response : one->responses) {
            check(response.head.headers);
            require(response.head.status >= 100 && response.head.status <= 999);
        }
        require(one->resets <= 1);
    }
}

void open_some(Side& side) {
    for (int i = 0; i < 3; i++) {
        auto made = std::make_unique<Listener>();
        made->stream = side.session.open({i == 1 ? "HEAD" : "GET", "https", "a", "/"}, {}, i != 2, *made);
        require(made->stream != nullptr);
        const std::int32_t id = made->stream->id();
        side.owner.streams[id] = std::move(made);
    }
}

std::string outcome(H2Role role, std::string_view bytes, std::size_t step) {
    Side side(role, settings());
    if (role == H2Role::client) {
        open_some(side);
        side.output();
    }
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        side.feed(bytes.substr(at, step));
    }
    side.output();
    check(side.owner);
    // After GOAWAY and the last stream nghttp2 may read on or not: nobody cares for what comes then.
    std::string text(side.owner.goaways.empty() ? name_of(side.session.fault()) : "");
    for (const auto& [id, one] : side.owner.streams) {
        text += "|" + std::to_string(id) + std::string(one->request.head.target) + std::string(name_of(one->refused)) +
                std::string(name_of(one->reset.reject)) + std::to_string(one->reset.code) + std::to_string(one->responses.size()) +
                (one->resets != 0 ? std::string() : one->body) + (one->ended ? "." : "");
    }
    return text;
}

void act(Side& side, Listener& one, unsigned what) {
    static const std::string text(3000, 'x');
    if (one.stream == nullptr) {
        return;
    }
    Headers more;
    more.add("x-y", "z");
    switch (what % 8) {
        case 0: one.stream->consume(one.stream->unconsumed()); break;
        case 1: one.stream->reset(H2Code::cancel); break;
        case 2: one.release(); break;
        case 3:
            if (!std::exchange(one.answered, true)) {
                one.stream->respond(200, more, what >= 128);
                one.finished = what >= 128;
            }
            break;
        case 4:
            if (one.answered && !one.finished) {
                one.stream->send(std::string_view(text).substr(0, what * 12), side.now);
            }
            break;
        case 5:
            if (one.answered && !one.finished && one.stream->queued() == 0) {
                one.stream->send_own(text, side.now);
            }
            break;
        case 6:
            if (one.answered && !std::exchange(one.finished, true)) {
                what >= 128 ? one.stream->end(more) : one.stream->end();
            }
            break;
        case 7: one.consumes = !one.consumes; break;
    }
}

// Byte by byte: how much is fed next, and what the owner does after.
void live(H2Role role, std::string_view bytes, std::string_view script) {
    Side side(role, settings());
    if (role == H2Role::client) {
        open_some(side);
        for (auto& [id, one] : side.owner.streams) {
            one->answered = true;
            one->finished = id != 5;
        }
    }
    for (const char letter : script) {
        const auto code = static_cast<unsigned char>(letter);
        const std::size_t count = std::min<std::size_t>(bytes.size(), code);
        side.now += code;
        side.feed(bytes.substr(0, count));
        bytes.remove_prefix(count);
        std::size_t turn = 0;
        for (auto& [id, one] : side.owner.streams) {
            act(side, *one, code * 7U + static_cast<unsigned>(turn++) * 31U);
        }
        if (code % 5 == 0) {
            require(side.output(code * 16U).size() < code * 16U + 1024 + 9 + 4096);
        }
        if (code == 201 && role == H2Role::server) {
            side.session.drain();
        }
    }
    side.output();
    check(side.owner);
    require(side.session.streams() <= 8);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    const H2Role role = (data[0] & 1) != 0 ? H2Role::client : H2Role::server;
    std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
    const std::string_view script = rest.substr(0, std::min<std::size_t>(data[1], rest.size()));
    std::string bytes(rest.substr(script.size()));
    if ((data[0] & 2) == 0) {
        bytes = (role == H2Role::server ? preface() : frame(kSettings, 0, 0)) + bytes;
    }
    const std::string whole = outcome(role, bytes, bytes.size() + 1), split = outcome(role, bytes, 1);
    require(whole == split);
    live(role, bytes, script);
    return 0;
}
