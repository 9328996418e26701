// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/proxy_protocol.hpp"

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::proxy;

namespace {

using fb::ProxyProtocol;

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string second(std::uint8_t command, std::uint8_t family, std::size_t length, const std::string& body) {
    std::string out = kSignature;
    for (const std::size_t byte : {std::size_t{command}, std::size_t{family}, length >> 8, length & 0xff}) {
        out += static_cast<char>(byte);
    }
    return out + body;
}
std::string second(std::uint8_t command, std::uint8_t family, const std::string& body) { return second(command, family, body.size(), body); }

// "done SOURCE DESTINATION", "done -", "more" or "rejected".
std::string read(const std::string& bytes, ProxyProtocol accepted = ProxyProtocol::Any) {
    ProxyHeader header;
    switch (parse_proxy_header(bytes, accepted, header)) {
        case ProxyProgress::more: return "more";
        case ProxyProgress::rejected: return "rejected";
        default: break;
    }
    CHECK(header.size <= bytes.size());
    CHECK(bytes.substr(header.size) == "rest");
    return header.source ? "done " + header.source->text() + " " + header.destination->text() : "done -";
}

const std::string kV4("\xc0\x00\x02\x07\x0a\x00\x00\x01\x10\x00\x00\x50", 12);

}  // namespace

TEST_CASE("proxy_protocol: version 1") {
    const std::string longest = "PROXY UNKNOWN " + std::string(107 - 16, 'x') + "\r\n";
    CHECK(longest.size() == 107);
    const std::pair<std::string, std::string> cases[] = {
        {"PROXY TCP4 192.0.2.7 10.0.0.1 4096 80\r\nrest", "done 192.0.2.7:4096 10.0.0.1:80"},
        {"PROXY TCP6 2001:db8::7 2001:db8::1 0 65535\r\nrest", "done [2001:db8::7]:0 [2001:db8::1]:65535"},
        {"PROXY UNKNOWN\r\nrest", "done -"},
        {"PROXY UNKNOWN whatever it says\r\nrest", "done -"},
        {longest + "rest", "done -"},
        {"", "more"},
        {"PRO", "more"},
        {"PROXY TCP4 192.0.2.7 10.0.0.1 4096 80\r", "more"},
        {"GET / HTTP/1.1\r\n\r\n", "rejected"},
        {"PROXI", "rejected"},
        {"proxy TCP4 192.0.2.7 10.0.0.1 4096 80\r\n", "rejected"},
        {"PROXY TCP4 192.0.2.7 10.0.0.1 4096 80\n", "rejected"},
        {"PROXY TCP4 192.0.2.7 10.0.0.1 4096 80 \r\n", "rejected"},
        {"PROXY TCP4  192.0.2.7 10.0.0.1 4096 80\r\n", "rejected"},
        {"PROXY TCP4 192.0.2.7 10.0.0.1 4096\r\n", "rejected"},
        {"PROXY TCP4 192.0.2.7 10.0.0.1 4096 65536\r\n", "rejected"},
        {"PROXY TCP4 192.0.2.7 10.0.0.1 04096 80\r\n", "rejected"},
        {"PROXY TCP4 192.0.2.7 10.0.0.1 -1 80\r\n", "rejected"},
        {std::string("PROXY TCP4 192.0.2.7\0 10.0.0.1 4096 80\r\n", 40), "rejected"},
        {"PROXY TCP4 192.0.2.07 10.0.0.1 4096 80\r\n", "rejected"},
        {"PROXY TCP4 2001:db8::7 2001:db8::1 4096 80\r\n", "rejected"},
        {"PROXY TCP6 192.0.2.7 10.0.0.1 4096 80\r\n", "rejected"},
        {"PROXY UDP4 192.0.2.7 10.0.0.1 4096 80\r\n", "rejected"},
        {"PROXY \r\n", "rejected"},
        {"PROXY UNKNOWN " + std::string(107 - 14, 'x'), "rejected"},
    };
    for (const auto& [bytes, expected] : cases) {
        INFO(bytes);
        CHECK(read(bytes) == expected);
    }
}

TEST_CASE("proxy_protocol: version 2") {
    const std::string v6 = std::string(15, '\x20') + "\x07" + std::string(15, '\x20') + "\x01" + std::string("\x10\x00\x01\xbb", 4);
    const std::string mapped = std::string("\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x07", 16) + std::string("\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x00\x00\x01", 16) + std::string("\x10\x00\x00\x50", 4);
    const std::string value("\x04\x00\x02xx", 5);
    const std::pair<std::string, std::string> cases[] = {
        {second(0x21, 0x11, kV4) + "rest", "done 192.0.2.7:4096 10.0.0.1:80"},
        {second(0x21, 0x21, v6) + "rest", "done [2020:2020:2020:2020:2020:2020:2020:2007]:4096 [2020:2020:2020:2020:2020:2020:2020:2001]:443"},
        {second(0x21, 0x21, mapped) + "rest", "done 192.0.2.7:4096 10.0.0.1:80"},
        {second(0x21, 0x11, kV4 + value + value) + "rest", "done 192.0.2.7:4096 10.0.0.1:80"},
        {second(0x21, 0x31, std::string(216, 'u')) + "rest", "done -"},
        {second(0x21, 0x00, "anything") + "rest", "done -"},
        {second(0x20, 0x00, "") + "rest", "done -"},
        {second(0x20, 0x11, kV4) + "rest", "done -"},
        {second(0x20, 0xff, "x") + "rest", "done -"},
        {kSignature.substr(0, 5), "more"},
        {kSignature, "more"},
        {second(0x21, 0x11, kV4).substr(0, 27), "more"},
        {kSignature.substr(0, 11) + "\r", "rejected"},
        {second(0x11, 0x11, kV4), "rejected"},
        {second(0x22, 0x11, kV4), "rejected"},
        {second(0x21, 0x12, kV4), "rejected"},
        {second(0x21, 0x41, kV4), "rejected"},
        {second(0x21, 0x11, kV4.substr(0, 11)), "rejected"},
        {second(0x21, 0x11, kV4 + "\x04"), "rejected"},
        {second(0x21, 0x11, kV4 + std::string("\x04\x00\x03xx", 5)), "rejected"},
        {second(0x21, 0x11, kProxyHeaderMax - 15, ""), "rejected"},
        {second(0x21, 0x11, kProxyHeaderMax - 16, ""), "more"},
    };
    for (const auto& [bytes, expected] : cases) {
        INFO(bytes.size() << " bytes, " << expected);
        CHECK(read(bytes) == expected);
    }
}

TEST_CASE("proxy_protocol: only the version that was agreed on") {
    const std::string one = "PROXY UNKNOWN\r\nrest";
    const std::string two = second(0x20, 0x00, "") + "rest";
    CHECK(read(one, ProxyProtocol::V1) == "done -");
    CHECK(read(two, ProxyProtocol::V1) == "rejected");
    CHECK(read(one, ProxyProtocol::V2) == "rejected");
    CHECK(read(two, ProxyProtocol::V2) == "done -");
}

TEST_CASE("proxy_protocol: what we write is read as what it was") {
    const Endpoint v4 = *Endpoint::parse("192.0.2.7:4096");
    const Endpoint other = *Endpoint::parse("10.0.0.1:80");
    const Endpoint v6 = *Endpoint::parse("[2001:db8::7]:443");
    CHECK(proxy_header(ProxyProtocol::V1, v4, other) == "PROXY TCP4 192.0.2.7 10.0.0.1 4096 80\r\n");
    CHECK(proxy_header(ProxyProtocol::V1, v6, v4) == "PROXY TCP6 2001:db8::7 ::ffff:192.0.2.7 443 4096\r\n");
    CHECK(proxy_header(ProxyProtocol::V2, v4, other) == second(0x21, 0x11, kV4));
    for (const ProxyProtocol version : {ProxyProtocol::V1, ProxyProtocol::V2}) {
        CHECK(read(proxy_header(version, std::nullopt, v4) + "rest", version) == "done -");
        for (const auto& [source, destination] : {std::pair(v4, other), std::pair(v6, v4), std::pair(v4, v6), std::pair(v6, v6)}) {
            CHECK(read(proxy_header(version, source, destination) + "rest", version) == "done " + source.text() + " " + destination.text());
        }
    }
}
