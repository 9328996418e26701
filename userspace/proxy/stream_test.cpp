// SPDX-License-Identifier: Apache-2.0
// Streams to backends that speak TLS, over real sockets on both rings; the server is OpenSSL's.
#include "userspace/proxy/stream.hpp"

#include "userspace/proxy/test_tls.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

struct Trusted {
    tls::testing::Pair ca = tls::testing::issue({.name = "ca", .ca = true});
    tls::testing::Pair leaf = tls::testing::issue({.name = "shop", .names = "DNS:shop.example", .issuer = &ca});
    std::shared_ptr<const tls::CertificateSet> set = tls::testing::set_of({{leaf, {}}}, {.alpn = {"h2", "http/1.1"}});

    std::shared_ptr<const tls::BackendContext> context(const std::string& name, std::uint16_t version) const {
        auto made = tls::BackendContext::build(
            {.server_name = name, .dns_names = {name}, .ca_pem = ca.chain, .alpn = {"http/1.1"}, .suites = {.version_min = version, .version_max = version}});
        REQUIRE(made.ok());
        return *made;
    }
};

const Trusted& trusted() {
    static const Trusted all;
    return all;
}

// All that comes, to the end.
ring::Task<std::string> drain(Stream& stream, ring::Loop& loop) {
    std::string all;
    for (;;) {
        all += stream.data();
        stream.consume(stream.data().size());
        const int filled = co_await stream.fill(loop.now() + 5s);
        if (filled != 0) {
            CHECK(filled == kEnded);
            co_return all;
        }
    }
}

ring::Task<> send_and_finish(Stream& stream, ring::Loop& loop, std::string text) {
    iovec parts[] = {{text.data(), 3}, {text.data() + 3, text.size() - 3}};
    const int sent = co_await stream.send(parts, loop.now() + 5s);
    CHECK(sent == 0);
    co_await stream.finish(loop.now() + 5s);
}

}  // namespace

TEST_CASE("stream: TLS to a backend, bytes of all sizes both ways, resumed the second time") {
    const std::uint16_t version = GENERATE(tls::kTls12, tls::kTls13);
    Backend backend([](Peer& peer) { TlsServer(peer, *trusted().set).echo(); });
    const auto context = trusted().context("shop.example", version);
    const auto stats = std::make_unique<SlotStats>();
    TlsLadder ladder{*stats, true};
    on_loop([&](ring::Loop& loop) -> ring::Task<> {
        bool resumed = false;
        for (const std::size_t size : {10U, 1000U, 20'000U, 1'000'000U}) {
            ring::Opened opened = co_await loop.connect(backend.at());
            Stream stream(std::move(opened.socket));
            stream.climb(ladder);
            const int connected = co_await stream.connect_tls(context, backend.at(), loop.now() + 5s);
            REQUIRE(connected == 0);
            CHECK(stream.tls()->alpn() == "http/1.1");
            CHECK(stream.tls()->resumed() == resumed);
            resumed = true;
            const std::string text = pattern(size);
            loop.spawn(send_and_finish(stream, loop, text));
            const std::string got = co_await drain(stream, loop);
            CHECK(got == text);
        }
    });
    CHECK(stats->tls_own_total == 4);
    CHECK(stats->ktls_write_total.load() == (ladder.kernel ? 4U : 0U));
    CHECK(stats->ktls_read_total.load() <= stats->ktls_write_total.load());  // what ends with the first records is not worth it
}

TEST_CASE("stream: a backend that cannot be believed, or speaks no TLS, gets nothing in the clear") {
    std::promise<std::string> seen;
    bool accepted = false;  // by the backend, on its thread, before `seen`
    const bool speaks_tls = GENERATE(true, false);
    Backend backend([&](Peer& peer) {
        if (speaks_tls) {
            accepted = TlsServer(peer, *trusted().set).accepted;
        } else {
            peer.send("HTTP/1.1 400 Bad Request\r\n\r\n");
        }
        seen.set_value(peer.rest());
    });
    on_loop([&](ring::Loop& loop) -> ring::Task<> {
        ring::Opened opened = co_await loop.connect(backend.at());
        Stream stream(std::move(opened.socket));
        const auto context = trusted().context("bank.example", tls::kTls12);
        const int connected = co_await stream.connect_tls(context, backend.at(), loop.now() + 5s);
        CHECK(connected == EPROTO);
        CHECK(stream.tls()->fault() == (speaks_tls ? tls::Fault::certificate : tls::Fault::not_tls));
        const int sent = co_await stream.send("secret", loop.now() + 5s);
        CHECK(sent == EPROTO);
        stream.close();
    });
    CHECK(seen.get_future().get().find("secret") == std::string::npos);
    CHECK_FALSE(accepted);
}
