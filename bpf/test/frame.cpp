// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "bpf/test/frame.hpp"

#include <arpa/inet.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace penstock::bpf_test {

namespace {

void put16(Bytes& to, std::uint32_t value) {
    to.push_back(static_cast<std::uint8_t>(value >> 8));
    to.push_back(static_cast<std::uint8_t>(value));
}

void put32(Bytes& to, std::uint32_t value) {
    put16(to, value >> 16);
    put16(to, value & 0xffff);
}

void set16(Bytes& in, std::size_t at, std::uint32_t value) {
    in[at] = static_cast<std::uint8_t>(value >> 8);
    in[at + 1] = static_cast<std::uint8_t>(value);
}

bool is_v6(const std::string& address) { return address.find(':') != std::string::npos; }

void put_ip(Bytes& to, const std::string& address) {
    std::array<std::uint8_t, 16> raw{};
    put_address(raw.data(), address);
    to.insert(to.end(), raw.begin() + (is_v6(address) ? 0 : 12), raw.end());
}

Bytes transport(const Frame& f) {
    Bytes b;
    if (f.proto == 6 || f.proto == 17) {
        put16(b, f.src.port);
        put16(b, f.dst.port);
    }
    if (f.proto == 6) {
        put32(b, f.seq);
        put32(b, f.ack);
        b.push_back(0x50);
        b.push_back(f.flags);
        put16(b, 0xffff);
        put32(b, 0);
    } else if (f.proto == 17) {
        put16(b, static_cast<std::uint32_t>(8 + f.payload.size()));
        put16(b, 0);
    }
    b.insert(b.end(), f.payload.begin(), f.payload.end());
    return b;
}

void set_transport_check(const Frame& f, Bytes& b) {
    Bytes pseudo;
    put_ip(pseudo, f.src.address);
    put_ip(pseudo, f.dst.address);
    put32(pseudo, static_cast<std::uint32_t>(b.size()));
    put32(pseudo, f.proto);
    const std::uint16_t check = static_cast<std::uint16_t>(~sum16(b.data(), b.size(), sum16(pseudo.data(), pseudo.size())));
    if (f.proto == 6) { set16(b, 16, check); }
    if (f.proto == 17 && f.udp_check) { set16(b, 6, check == 0 ? 0xffff : check); }
    if (f.proto == 58) { set16(b, 2, check); }
    if (f.proto == 1) { set16(b, 2, static_cast<std::uint16_t>(~sum16(b.data(), b.size()))); }
}

void put_header(const Frame& f, Bytes& b, std::size_t body) {
    if (is_v6(f.dst.address)) {
        put32(b, 0x60000000);
        put16(b, static_cast<std::uint32_t>(body));
        b.push_back(f.proto);
        b.push_back(f.ttl);
        put_ip(b, f.src.address);
        put_ip(b, f.dst.address);
        return;
    }
    const std::size_t at = b.size();
    put16(b, 0x4500);
    put16(b, static_cast<std::uint32_t>(20 + body));
    put32(b, 0x12344000);
    b.push_back(f.ttl);
    b.push_back(f.proto);
    put16(b, 0);
    put_ip(b, f.src.address);
    put_ip(b, f.dst.address);
    set16(b, at + 10, static_cast<std::uint16_t>(~sum16(b.data() + at, 20)));
}

}  // namespace

void put_address(std::uint8_t* to, const std::string& address) {
    std::memset(to, 0, 16);
    if (is_v6(address)) {
        if (inet_pton(AF_INET6, address.c_str(), to) != 1) { std::abort(); }
        return;
    }
    to[10] = to[11] = 0xff;
    if (inet_pton(AF_INET, address.c_str(), to + 12) != 1) { std::abort(); }
}

void put_mac(std::uint8_t* to, const std::string& mac) {
    for (std::size_t i = 0; i < 6; i++) { to[i] = static_cast<std::uint8_t>(std::strtoul(mac.c_str() + 3 * i, nullptr, 16)); }
}

std::uint16_t sum16(const std::uint8_t* data, std::size_t size, std::uint32_t start) {
    std::uint64_t sum = start;
    for (std::size_t i = 0; i < size; i++) { sum += static_cast<std::uint64_t>(data[i]) << (i % 2 == 0 ? 8 : 0); }
    while (sum >> 16 != 0) { sum = (sum & 0xffff) + (sum >> 16); }
    return static_cast<std::uint16_t>(sum);
}

Bytes build(const Frame& f) {
    Bytes b(12);
    put_mac(b.data(), f.dmac);
    put_mac(b.data() + 6, f.smac);
    put16(b, is_v6(f.dst.address) ? 0x86dd : 0x0800);
    Bytes body = transport(f);
    set_transport_check(f, body);
    put_header(f, b, body.size());
    b.insert(b.end(), body.begin(), body.end());
    if (f.spoil) { f.spoil(b); }
    return b;
}

std::string hex(const Bytes& bytes) {
    std::string text;
    std::array<char, 4> pair{};
    for (std::size_t i = 0; i < bytes.size(); i++) {
        std::snprintf(pair.data(), pair.size(), "%02x%s", bytes[i], i % 16 == 15 ? "\n" : "");
        text += pair.data();
    }
    return text;
}

}  // namespace penstock::bpf_test
