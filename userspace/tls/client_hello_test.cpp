// SPDX-License-Identifier: Apache-2.0
// Hellos that OpenSSL's client wrote, cut everywhere.
#include "tools/test/catch.hpp"
#include "userspace/tls/testing.hpp"

using namespace penstock;
using namespace penstock::tls;
using namespace penstock::tls::testing;

namespace {

std::vector<std::uint8_t> hello_of(const char* name, int version = 0) {
    Client client(name, version);
    client.handshake();
    return client.sent();
}

ClientHello parsed(const std::vector<std::uint8_t>& bytes) {
    ClientHello hello;
    std::string fault;
    REQUIRE(parse_client_hello(bytes, hello, fault) == HelloResult::done);
    return hello;
}

// Spreads a hello's one record over records of `size` bytes.
std::vector<std::uint8_t> in_records(const std::vector<std::uint8_t>& hello, std::size_t size) {
    std::vector<std::uint8_t> result;
    for (std::size_t at = 5; at < hello.size(); at += size) {
        const std::size_t count = std::min(size, hello.size() - at);
        result.insert(result.end(), {22, 3, 1, static_cast<std::uint8_t>(count >> 8), static_cast<std::uint8_t>(count)});
        result.insert(result.end(), hello.begin() + static_cast<std::ptrdiff_t>(at), hello.begin() + static_cast<std::ptrdiff_t>(at + count));
    }
    return result;
}

}  // namespace

TEST_CASE("hello: name, protocols and signatures are read, whatever the cut") {
    const auto bytes = hello_of("Shop.Example.com");
    const ClientHello hello = parsed(bytes);
    CHECK(hello.server_name == "shop.example.com");
    CHECK(hello.alpn == std::vector<std::string>{"h2", "http/1.1"});
    CHECK(hello.version_max == 0x0304);
    CHECK((hello.ecdsa && hello.rsa));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        ClientHello part;
        std::string fault;
        REQUIRE(parse_client_hello(std::span(bytes).first(size), part, fault) == HelloResult::more);
    }
    for (const std::size_t size : {9U, 64U, 200U}) {
        CHECK(parsed(in_records(bytes, size)).server_name == "shop.example.com");
    }
    CHECK(parsed(hello_of(nullptr)).server_name.empty());
    CHECK(parsed(hello_of("old.example.com", TLS1_2_VERSION)).version_max == 0x0303);
}

TEST_CASE("hello: what is not TLS and what contradicts itself is told apart") {
    ClientHello hello;
    std::string fault;
    const std::string http = "GET / HTTP/1.1\r\n";
    CHECK(parse_client_hello({reinterpret_cast<const std::uint8_t*>(http.data()), http.size()}, hello, fault) == HelloResult::not_tls);
    const std::vector<std::vector<std::uint8_t>> wrong = {
        {22, 3, 1, 0, 0},                          // empty record
        {22, 3, 1, 0x50, 0},                       // record too large
        {22, 3, 1, 0, 4, 2, 0, 0, 0},              // ServerHello
        {22, 3, 1, 0, 4, 1, 1, 0, 0},              // 64 KiB of hello
        {22, 3, 1, 0, 6, 1, 0, 0, 2, 3, 3},        // ends in the middle of its fields
        {22, 3, 1, 0, 4, 1, 0, 0, 2, 23, 3, 3},    // another record amid the hello
    };
    for (const auto& bytes : wrong) {
        CHECK(parse_client_hello(bytes, hello, fault) == HelloResult::malformed);
        CHECK_FALSE(fault.empty());
    }
    // Every single changed byte: no crash, and a result.
    const auto good = hello_of("a.example.com");
    for (std::size_t at = 0; at < good.size(); ++at) {
        auto bad = good;
        bad[at] ^= 0xff;
        parse_client_hello(bad, hello, fault);
    }
    CHECK(parse_client_hello(in_records(good, 2), hello, fault) == HelloResult::malformed);  // too many records
    auto named = hello_of("10.example.com");
    const std::string address = "10.101.102.103";
    std::copy(address.begin(), address.end(), std::search(named.begin(), named.end(), std::begin("10.example.com"), std::end("10.example.com") - 1));
    hello = {};
    CHECK(parse_client_hello(named, hello, fault) == HelloResult::done);
    CHECK(hello.server_name.empty());  // an address is no server name
}

TEST_CASE("hello: before TLS 1.3 the suites limit the kinds of certificates") {
    const auto of = [](int version, const char* suites) {
        Client client("a", version, [&](SSL_CTX* context) { SSL_CTX_set_cipher_list(context, suites); });
        client.handshake();
        return parsed(client.sent());
    };
    const ClientHello rsa = of(TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256");
    CHECK((rsa.rsa && !rsa.ecdsa && !rsa.ed25519));
    const ClientHello ecdsa = of(TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256");
    CHECK((!ecdsa.rsa && ecdsa.ecdsa && ecdsa.ed25519));
    const ClientHello both = of(TLS1_3_VERSION, "ECDHE-RSA-AES128-GCM-SHA256");
    CHECK((both.rsa && both.ecdsa && both.ed25519));
}
