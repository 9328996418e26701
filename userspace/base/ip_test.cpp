// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/ip.hpp"

#include "tools/test/catch.hpp"

using namespace penstock;

TEST_CASE("ip: texts that are addresses come back in canonical form") {
    struct Row {
        const char* in;
        const char* out;
        Family family;
    };
    const Row rows[] = {{"10.0.0.1", "10.0.0.1", Family::v4},
                        {"2001:DB8:0::1", "2001:db8::1", Family::v6},
                        {"::ffff:1.2.3.4", "1.2.3.4", Family::v4},
                        {"::", "::", Family::v6},
                        {"0.0.0.0", "0.0.0.0", Family::v4}};
    for (const Row& row : rows) {
        const auto address = IpAddress::parse(row.in);
        INFO(row.in);
        REQUIRE(address.has_value());
        CHECK(address->text() == row.out);
        CHECK(address->family == row.family);
    }
}

TEST_CASE("ip: texts that are no addresses are refused") {
    for (const char* text : {"", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "fe80::1%eth0", "[::1]", "1.2.3.4 ", "::g",
                             "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb"}) {
        INFO(text);
        CHECK_FALSE(IpAddress::parse(text).has_value());
    }
    CHECK_FALSE(IpAddress::parse({}).has_value());
    CHECK_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0x", 9)).has_value());
}

TEST_CASE("ip: an endpoint survives the way to a sockaddr and back") {
    for (const char* text : {"10.1.2.3:80", "[2001:db8::5]:65535", "0.0.0.0:0"}) {
        const auto endpoint = Endpoint::parse(text);
        INFO(text);
        REQUIRE(endpoint.has_value());
        sockaddr_storage storage;
        CHECK(endpoint->to_sockaddr(storage) > 0);
        CHECK(Endpoint::from_sockaddr(storage) == endpoint);
        CHECK(endpoint->text() == text);
    }
    for (const char* text : {"10.1.2.3", "10.1.2.3:", "10.1.2.3:65536", "::1:80", "[10.0.0.1]:80", "10.0.0.1:-1"}) {
        INFO(text);
        CHECK_FALSE(Endpoint::parse(text).has_value());
    }
}

TEST_CASE("ip: addresses of one link are fe80::/10") {
    for (const char* text : {"fe80::1", "febf:ffff::1"}) {
        INFO(text);
        CHECK(IpAddress::parse(text)->is_link_local_v6());
    }
    for (const char* text : {"fe7f::1", "fec0::1", "fd00::1", "::1", "254.128.0.1", "169.254.1.1"}) {
        INFO(text);
        CHECK_FALSE(IpAddress::parse(text)->is_link_local_v6());
    }
}
