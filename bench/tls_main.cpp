// SPDX-License-Identifier: Apache-2.0
// What TLS costs without I/O, on the server's side: handshakes, full and resumed; the heap of an idle connection; records both ways, by our
// record layer and by OpenSSL's. OpenSSL's client is the other end; its time is not counted.
// bench_tls handshake KIND COUNT: only that, for an instruction counter (--toggle-collect=server_step).
#include <malloc.h>

#include <cstring>
#include <string>
#include <vector>

#include "bench/native/report.hpp"
#include "bench/native/sample.hpp"
#include "userspace/tls/testing.hpp"

using namespace penstock;
using namespace penstock::tls;
using namespace penstock::tls::testing;

// What is timed and counted.
extern "C" __attribute__((noinline)) void server_step(Session& session, std::vector<std::uint8_t>& bytes) {
    session.feed(bytes);
    while (!session.next().empty()) {
    }
    session.release();
}

namespace {

const SuiteOptions kOurs{.ciphers = {"TLS_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"}};

struct Kind {
    const char* name;
    bool ecdsa;
    int version;
    bool resumed;
};
constexpr Kind kKinds[] = {{"ECDSA, TLS 1.3, full", true, TLS1_3_VERSION, false},  {"ECDSA, TLS 1.3, resumed", true, TLS1_3_VERSION, true},
                           {"ECDSA, TLS 1.2, full", true, TLS1_2_VERSION, false},  {"ECDSA, TLS 1.2, resumed", true, TLS1_2_VERSION, true},
                           {"RSA, TLS 1.3, full", false, TLS1_3_VERSION, false},   {"RSA, TLS 1.2, full", false, TLS1_2_VERSION, false}};

const CertificateSet& set_for(bool ecdsa) {
    static const auto sets = std::pair(set_of({{make_certificate("one"), {"one"}}}, {.alpn = {"http/1.1"}, .suites = kOurs}),
                                       set_of({{make_certificate("one", false), {"one"}}}, {.alpn = {"http/1.1"}, .suites = kOurs}));
    return ecdsa ? *sets.first : *sets.second;
}

// The server's milliseconds.
double shake(Client& client, Session& session) {
    double spent = 0;
    for (int round = 0; round < 4 && session.state() == SessionState::handshake; ++round) {
        client.handshake();
        auto bytes = client.sent();
        spent += bench::milliseconds([&] { server_step(session, bytes); });
        client.receive(session.output());
        session.output() = {};
    }
    client.handshake();
    return spent;
}

std::vector<double> handshakes(const Kind& kind, int count) {
    const CertificateSet& set = set_for(kind.ecdsa);
    Client first("one", kind.version);
    Session before(set.choose({}));
    SSL_SESSION* kept = session_of(first, before);
    std::vector<double> figures;
    for (int i = 0; i < count; ++i) {
        Client client("one", kind.version, {}, kind.resumed ? kept : nullptr);
        std::unique_ptr<Session> session;
        double spent = bench::milliseconds([&] { session = std::make_unique<Session>(set.choose({})); });
        spent += shake(client, *session);
        if (session->state() != SessionState::established || session->resumed() != kind.resumed) {
            bench::give_up(Error{.what = std::string("a handshake that is not ") + kind.name});
        }
        spent += bench::milliseconds([&] { session.reset(); });
        figures.push_back(spent * 1000);
    }
    SSL_SESSION_free(kept);
    return figures;
}

double heap(int version) {
    constexpr int kCount = 200;
    std::vector<std::unique_ptr<Session>> sessions;
    sessions.reserve(kCount);
    std::size_t before = 0;
    for (int i = -10; i < kCount; ++i) {
        if (i == 0) {
            sessions.clear();
            before = mallinfo2().uordblks;
        }
        Client client("one", version);
        sessions.push_back(std::make_unique<Session>(set_for(true).choose({})));
        shake(client, *sessions.back());
    }
    return static_cast<double>(mallinfo2().uordblks - before) / kCount;
}

// Nanoseconds to write and to read one.
std::vector<double> records(const Row& row, std::size_t size) {
    const Talk talk = begin(row, true);
    const std::string text = pattern(size);
    constexpr int kBatch = 50;
    std::vector<double> written;
    std::vector<double> read;
    for (int batch = 0; batch < (size > 4000 ? 60 : 400); ++batch) {
        written.push_back(bench::milliseconds([&] {
            for (int i = 0; i < kBatch; ++i) {
                say(*talk.session, text);
                talk.session->output() = {};  // as after a send
            }
        }));
        for (int i = 0; i < kBatch; ++i) {
            talk.peer->write(text);
        }
        auto bytes = talk.peer->sent();
        read.push_back(bench::milliseconds([&] {
            for (std::size_t at = 0; at < bytes.size(); at += 4096) {  // as the ring's buffers come
                talk.session->feed(std::span(bytes).subspan(at, std::min<std::size_t>(4096, bytes.size() - at)));
                while (!talk.session->next().empty()) {
                }
                talk.session->release();
            }
        }));
    }
    return {bench::best(written) * 1e6 / kBatch, bench::best(read) * 1e6 / kBatch};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 4 && std::strcmp(argv[1], "handshake") == 0) {
        for (const Kind& kind : kKinds) {
            if (std::strcmp(argv[2], kind.name) == 0) {
                handshakes(kind, std::atoi(argv[3]));
            }
        }
        return 0;
    }
    bench::Report report;
    bench::Table& shaken = report.table("handshake", {{"CPU us, best", 1}, {"CPU us, median", 1}});
    for (const Kind& kind : kKinds) {
        const auto figures = handshakes(kind, 500);
        shaken.add(kind.name, {bench::best(figures), bench::median(figures)});
    }
    bench::Table& idle = report.table("idle connection", {{"bytes of heap"}});
    idle.add("TLS 1.3", {heap(TLS1_3_VERSION)});
    idle.add("TLS 1.2", {heap(TLS1_2_VERSION)});
    for (const std::size_t size : {1024U, 16384U}) {
        bench::Table& sealed = report.table("record of " + std::to_string(size), {{"write, ns"}, {"read, ns"}});
        for (const Row& row : kRows) {
            sealed.add(std::string(row.cipher) + (row.ours ? "" : " (OpenSSL's records)"), records(row, size));
        }
    }
    report.print();
    return 0;
}
