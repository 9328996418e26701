// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/neighbour_frames.hpp"

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::apply;

namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr Mac kMac = {0x02, 0x11, 0x22, 0x33, 0x44, 0x55};

// The ICMPv6 message within a whole frame.
Bytes message_of(const Bytes& frame) { return {frame.begin() + 54, frame.end()}; }

std::uint16_t folded(std::uint32_t sum) {
    while (sum >> 16U != 0) {
        sum = (sum & 0xffffU) + (sum >> 16U);
    }
    return static_cast<std::uint16_t>(sum);
}

}  // namespace

TEST_CASE("frames: an IPv4 address is announced by a broadcast ARP request that asks for itself") {
    const Bytes expected = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x11, 0x22, 0x33, 0x44, 0x55, 0x08, 0x06,
                            0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01,
                            0x02, 0x11, 0x22, 0x33, 0x44, 0x55, 192,  0,    2,    7,
                            0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 192,  0,    2,    7};
    CHECK(announcement(*IpAddress::parse("192.0.2.7"), kMac) == expected);
}

TEST_CASE("frames: an IPv6 address is announced by an advertisement to all nodes that overrides") {
    const Bytes frame = announcement(*IpAddress::parse("2001:db8::7"), kMac);
    const Bytes expected = {0x33, 0x33, 0x00, 0x00, 0x00, 0x01, 0x02, 0x11, 0x22, 0x33, 0x44, 0x55, 0x86, 0xdd,
                            0x60, 0x00, 0x00, 0x00, 0x00, 0x20, 0x3a, 0xff,
                            0x20, 0x01, 0x0d, 0xb8, 0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    7,
                            0xff, 0x02, 0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    1,
                            0x88, 0x00, frame[56], frame[57], 0x20, 0x00, 0x00, 0x00,
                            0x20, 0x01, 0x0d, 0xb8, 0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    7,
                            0x02, 0x01, 0x02, 0x11, 0x22, 0x33, 0x44, 0x55};
    REQUIRE(frame == expected);
    // RFC 4443 section 2.3: with the pseudo-header, all words add up to ones.
    std::uint32_t sum = 32 + 58;
    for (std::size_t i = 22; i < frame.size(); i += 2) {
        sum += (std::uint32_t{frame[i]} << 8U) + frame[i + 1];
    }
    CHECK(folded(sum) == 0xffff);
}

TEST_CASE("frames: an announcement is a claim; requests and answers claim their sender's address") {
    const IpAddress four = *IpAddress::parse("192.0.2.7");
    const IpAddress six = *IpAddress::parse("2001:db8::7");
    Bytes arp = announcement(four, kMac);
    CHECK(arp_claim(arp) == NeighbourClaim{four, kMac});
    arp[21] = 2;
    arp[41] = 99;  // somebody is answered
    arp.resize(60);  // padding of the wire
    CHECK(arp_claim(arp) == NeighbourClaim{four, kMac});
    CHECK(advertisement_claim(message_of(announcement(six, kMac)), 255) == NeighbourClaim{six, kMac});
}

TEST_CASE("frames: a question tells nobody anything but who asks what") {
    const IpAddress four = *IpAddress::parse("192.0.2.7");
    const IpAddress six = *IpAddress::parse("2001:db8::12:3456");
    const Bytes probe = question(four, kMac);
    REQUIRE(probe.size() == 42);
    CHECK(std::all_of(probe.begin(), probe.begin() + 6, [](std::uint8_t byte) { return byte == 0xff; }));
    CHECK(std::equal(kMac.begin(), kMac.end(), probe.begin() + 22));
    CHECK(std::equal(four.bytes.begin() + 12, four.bytes.end(), probe.begin() + 38));
    CHECK_FALSE(arp_claim(probe).has_value());
    const Mac to = {2, 0, 0, 0, 0, 9};
    const Bytes alone = question(four, kMac, to);
    CHECK(std::equal(to.begin(), to.end(), alone.begin()));
    CHECK(std::equal(probe.begin() + 6, probe.end(), alone.begin() + 6));

    const Bytes asked = question(six, kMac, to);
    REQUIRE(asked.size() == 78);
    const Bytes group = {0x33, 0x33, 0xff, 0x12, 0x34, 0x56};
    CHECK(std::equal(group.begin(), group.end(), asked.begin()));
    CHECK(std::all_of(asked.begin() + 22, asked.begin() + 38, [](std::uint8_t byte) { return byte == 0; }));
    CHECK(std::equal(six.bytes.begin(), six.bytes.end(), asked.begin() + 62));
    CHECK_FALSE(advertisement_claim(message_of(asked), 255).has_value());
}

TEST_CASE("frames: probes, other protocols, what came through a router and what is cut claim nothing") {
    const Bytes arp = announcement(*IpAddress::parse("192.0.2.7"), kMac);
    for (std::size_t size = 0; size < arp.size(); ++size) {
        CHECK_FALSE(arp_claim(std::span(arp).first(size)).has_value());
    }
    for (const std::size_t at : {12, 13, 14, 15, 16, 18, 19, 20, 21}) {
        Bytes other = arp;
        other[at] ^= 0x40U;
        CHECK_FALSE(arp_claim(other).has_value());
    }
    Bytes probe = arp;
    std::fill_n(probe.begin() + 28, 4, std::uint8_t{0});
    CHECK_FALSE(arp_claim(probe).has_value());

    const Bytes message = message_of(announcement(*IpAddress::parse("2001:db8::7"), kMac));
    for (std::size_t size = 0; size < message.size(); ++size) {
        CHECK_FALSE(advertisement_claim(std::span(message).first(size), 255).has_value());
    }
    CHECK_FALSE(advertisement_claim(message, 254).has_value());
    Bytes solicitation = message;
    solicitation[0] = 135;
    CHECK_FALSE(advertisement_claim(solicitation, 255).has_value());
    Bytes endless = message;
    endless[25] = 0;
    CHECK_FALSE(advertisement_claim(endless, 255).has_value());
    Bytes with_another = message;
    with_another.insert(with_another.begin() + 24, {14, 1, 0, 0, 0, 0, 0, 0});  // an option before it
    CHECK(advertisement_claim(with_another, 255).has_value());
}
