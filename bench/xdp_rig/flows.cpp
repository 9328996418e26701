// SPDX-License-Identifier: Apache-2.0
#include "bench/xdp_rig/flows.hpp"

#include <linux/bpf.h>
#include <netinet/in.h>

#include <cstring>
#include <string>

#include "bench/native/sample.hpp"
#include "bpf/test/frame.hpp"

namespace penstock::bench {

namespace {

constexpr std::uint32_t kSources = 1U << 16;  // clients' addresses
constexpr std::uint32_t kBackendIsn = 7000;

template <class T>
void put(Bytes& frame, std::uint32_t at, T value) {
    std::memcpy(frame.data() + at, &value, sizeof value);
}
template <class T>
T get(const Bytes& frame, std::uint32_t at) {
    T value;
    std::memcpy(&value, frame.data() + at, sizeof value);
    return value;
}

// The frames of a handshake, to be filled in for each flow.
class Handshake {
public:
    Handshake(const Edge& edge, const Listener& listener)
        : edge_(edge),
          places_(places_of(listener.v6)),
          opens_(request(listener, bpf_test::kSyn)),
          answers_(reply(listener, bpf_test::kSyn | bpf_test::kAck)),
          proves_(request(listener, bpf_test::kAck)) {
        if (!listener.udp) {
            put(answers_, places_.acknowledged - 4, htonl(kBackendIsn));
            put(proves_, places_.acknowledged, htonl(kBackendIsn + 1));
        }
    }

    // False if the flow found no place.
    bool run(const pst_load_end& client, pst_load_end& backend) const {
        Bytes frame = from(opens_, client);
        if (!sent(edge_.run(frame))) {
            return false;
        }
        backend = {.address_be = get<std::uint32_t>(frame, places_.destination), .port_be = get<std::uint16_t>(frame, places_.source_port), .zero = 0};
        frame = answers_;
        put(frame, places_.source, backend.address_be);
        put(frame, places_.destination_port, backend.port_be);
        if (!sent(edge_.run(frame))) {
            return false;
        }
        frame = from(proves_, client);
        return sent(edge_.run(frame));
    }

private:
    static bool sent(std::uint32_t action) { return action == XDP_TX || action == XDP_REDIRECT; }

    [[nodiscard]] Bytes from(Bytes frame, const pst_load_end& client) const {
        put(frame, places_.source, client.address_be);
        put(frame, places_.source_port, client.port_be);
        return frame;
    }

    const Edge& edge_;
    Places places_;
    Bytes opens_;
    Bytes answers_;
    Bytes proves_;
};

}  // namespace

Flows establish(const Edge& edge, const Listener& listener, std::uint32_t count) {
    const Handshake handshake(edge, listener);
    const std::uint64_t before = edge.count("FORWARD_PROVEN");
    const auto first = get<std::uint32_t>(request(listener, 0), PST_LOAD_ADDRESS_AT);
    Flows flows;
    // A few of many find no port, and of the others a very few no line of the flow table: those stay on trial.
    for (std::uint32_t i = 0; flows.clients.size() < count && i < count + count / 50 + 1; ++i) {
        const pst_load_end client{.address_be = htonl(ntohl(first) + i % kSources), .port_be = htons(static_cast<std::uint16_t>(1024 + i / kSources)), .zero = 0};
        pst_load_end backend{};
        if (handshake.run(client, backend)) {
            flows.clients.push_back(client);
            flows.backends.push_back(backend);
        }
    }
    if (const std::uint64_t proven = edge.count("FORWARD_PROVEN") - before; proven < count - count / 1000) {
        give_up({.code = Errc::internal, .what = "establish " + std::to_string(count) + " flows: " + std::to_string(proven) + " are proven"});
    }
    return flows;
}

}  // namespace penstock::bench
