// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "bpf/core/pst_config.h"
#include "bpf/core/pst_hash.h"
#include "bpf/core/pst_service.h"

#include <array>
#include <cstring>
#include <set>

#include "tools/test/catch.hpp"

namespace {

pst_tuple tuple(std::uint32_t n) {
    pst_tuple t{};
    t.src.word[3] = n;
    t.dst.word[3] = 0x0100000a;
    t.sport_be = 7;
    t.dport_be = 80;
    t.proto = 6;
    return t;
}

}  // namespace

TEST_CASE("hash: the same tuple in another role, family or under another key is another hash") {
    const std::array<__u64, 2> key = {1, 2};
    const std::array<__u64, 2> other = {1, 3};
    pst_tuple v4 = tuple(5);
    pst_tuple v6 = v4;
    v6.v6 = 1;
    const std::set<__u64> seen = {
        pst_tuple_hash(key.data(), &v4, PST_HASH_FLOW),
        pst_tuple_hash(key.data(), &v4, PST_HASH_RETURN),
        pst_tuple_hash(key.data(), &v6, PST_HASH_FLOW),
        pst_tuple_hash(other.data(), &v4, PST_HASH_FLOW),
    };
    CHECK(seen.size() == 4);
}

TEST_CASE("hash: a tag is never one of the two marks") {
    const std::array<__u64, 2> key = {11, 12};
    for (std::uint32_t n = 0; n < 1000; n++) {
        pst_tuple t = tuple(n);
        const __u64 hash = pst_tuple_hash(key.data(), &t, PST_HASH_FLOW);
        CHECK(hash > 1);
        CHECK(hash >> 16 > 1);
    }
}

TEST_CASE("hash: no bit but the mark is the same in all hashes, so that tables are used whole") {
    const std::array<__u64, 2> key = {11, 12};
    __u64 always = ~0ULL;
    __u64 ever = 0;
    for (std::uint32_t n = 0; n < 1000; n++) {
        pst_tuple t = tuple(n);
        always &= pst_tuple_hash(key.data(), &t, PST_HASH_RETURN);
        ever |= pst_tuple_hash(key.data(), &t, PST_HASH_RETURN);
    }
    CHECK(always == PST_HASH_MARK);
    CHECK(ever == ~0ULL);
    CHECK(PST_HASH_MARK > PST_FLOW_LINES_MAX);
    CHECK(PST_HASH_MARK > static_cast<__u64>(PST_TRIALS_MAX - 1) << 24);
}

TEST_CASE("hash: IPv6 sources of one /64 are one source, IPv4 sources are not") {
    const std::array<__u64, 2> key = {1, 2};
    pst_addr a{}, b{};
    a.word[3] = 1;
    b.word[3] = 2;
    CHECK(pst_source_hash(key.data(), &a, 1) == pst_source_hash(key.data(), &b, 1));
    CHECK(pst_source_hash(key.data(), &a, 0) != pst_source_hash(key.data(), &b, 0));
}

TEST_CASE("hash: the filter's slot is inside the filter for any address") {
    pst_addr a{};
    std::memset(a.byte, 0xff, sizeof(a.byte));
    CHECK(pst_filter_slot(&a) < PST_FILTER_SIZE);
    for (std::uint32_t n = 0; n < 100000; n += 77) {
        a.word[3] = n * 0x01000193u;
        CHECK(pst_filter_slot(&a) < PST_FILTER_SIZE);
    }
}

TEST_CASE("service: a word gives back what was put in") {
    const pst_service_word_t word = pst_service_word(0xfffffff1u, 655373, 255);
    CHECK(pst_service_offset(word) == 0xfffffff1u);
    CHECK(pst_service_size(word) == 655373);
    CHECK(pst_service_generation(word) == 255);
}

TEST_CASE("service: further rounds stay in the table and depend on the slot alone") {
    for (const std::uint32_t size : {1u, 251u, 65537u, 655373u}) {
        for (std::uint32_t round = 0; round < PST_STEER_TRIES; round++) {
            const std::uint32_t slot = pst_slot_of_round(size - 1, round, size);
            CHECK(slot < size);
            CHECK(slot == pst_slot_of_round(size - 1, round, size));
        }
        CHECK(pst_slot_of_round(size - 1, 0, size) == size - 1);
    }
}

TEST_CASE("config: every state of a flow has an age that fits, and the port range is a range") {
    pst_config c{};
    pst_config_defaults(&c);
    for (int state = PST_FLOW_TCP; state <= PST_FLOW_UDP; state++) {
        CHECK(c.idle_ticks[state] > 0);
        CHECK(c.idle_ticks[state] < PST_TICK_MASK);
    }
    CHECK(c.nat_port_min < c.nat_port_max);
    CHECK(c.abi_version == 0);
}
