// SPDX-License-Identifier: Apache-2.0
// A peer that knows the keys and means ill: records properly sealed with any content, and bytes that are none. Whatever comes, the reader
// stays inside what it was given, and how the bytes were cut makes no difference to what it reads.
#include <cstdlib>
#include <string>

#include "userspace/tls/records.hpp"

using namespace penstock::tls;

namespace {

HandOver keys(std::uint8_t choice) {
    HandOver all;
    all.role = (choice & 1) != 0 ? Role::client : Role::server;
    Direction direction{.tls13 = (choice & 2) != 0, .suite = {static_cast<Cipher>((choice >> 2) % 3), false}, .secret = Secret(std::vector<std::uint8_t>(32, 1))};
    direction.key = record_key(direction.suite, direction.secret);
    all.read = all.write = direction;
    return all;
}

// Each step is a kind, a length and so many bytes: kinds below 16 are bytes as they are, others a record of a type near 23.
Bytes wire_of(std::uint8_t choice, std::span<const std::uint8_t> script) {
    RecordCipher sealer(keys(choice).read, true);
    Bytes wire;
    while (script.size() >= 2 && wire.size() < (1U << 20)) {
        const std::uint8_t kind = script[0];
        const std::size_t count = std::min<std::size_t>(script[1], script.size() - 2);
        const auto bytes = script.subspan(2, count);
        script = script.subspan(2 + count);
        if (kind < 16) {
            wire.insert(wire.end(), bytes.begin(), bytes.end());
            continue;
        }
        sealer.seal(static_cast<ContentType>(20 + kind % 5), bytes, wire);
        const bool updates = (choice & 2) != 0 && 20 + kind % 5 == handshake && bytes.size() == 5 && bytes[0] == 24;
        if (updates) {
            sealer.rekey();
        }
    }
    return wire;
}

struct Heard {
    std::string data;
    int last = 0;
    Bytes out;
};

Heard hear(std::uint8_t choice, Bytes wire, std::size_t cut) {
    Heard heard;
    Records records(keys(choice));
    for (std::size_t at = 0; at < wire.size(); at += cut) {
        records.feed(std::span(wire).subspan(at, std::min(cut, wire.size() - at)));
        for (auto next = records.next(heard.out); !next.none; next = records.next(heard.out)) {
            heard.last = static_cast<int>(next.means);
            if (next.means == PostHandshake::Means::data) {
                heard.data.append(next.data.begin(), next.data.end());
            }
            if (next.means == PostHandshake::Means::failed || next.means == PostHandshake::Means::closed) {
                return heard;
            }
        }
        records.release();
    }
    return heard;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    const Bytes wire = wire_of(data[0], {data + 2, size - 2});
    const Heard whole = hear(data[0], wire, wire.size() + 1);
    const Heard cut = hear(data[0], wire, 1 + data[1] % 64U);
    if (whole.data != cut.data || whole.last != cut.last || whole.out != cut.out) {
        std::abort();
    }
    return 0;
}
