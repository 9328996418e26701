// SPDX-License-Identifier: Apache-2.0
// What the HTTP/2 layer costs: a request and its answer of 1 KiB on a connection that has seen it before, in nanoseconds; the memory of an
// idle connection and of an open stream. `request N` serves N requests and nothing else, so that callgrind can count (bench/h2 does).
#include <malloc.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "bench/native/report.hpp"
#include "bench/native/sample.hpp"
#include "userspace/http/h2_session.hpp"

using namespace penstock;
using namespace penstock::http;

namespace {

const H2Settings kSettings;
const std::string kBody(1024, 'x');

Headers headers(std::initializer_list<Header> list) {
    Headers made;
    for (const Header& field : list) {
        made.add(field.name, field.value);
    }
    return made;
}

const Headers kAsked = headers({{"user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0)"}, {"accept", "text/html,application/xhtml+xml"},
                                {"accept-language", "en-US,en;q=0.5"}, {"accept-encoding", "gzip, deflate, br"},
                                {"cookie", "session=abcdefghijklmnop"}, {"referer", "https://a.example/"}});
const Headers kAnswered = headers({{"content-type", "text/plain"}, {"content-length", "1024"}, {"server", "nginx/1.22"},
                                   {"date", "Mon, 01 Jan 2026 00:00:00 GMT"}, {"x-request-id", "0123456789abcdef0123456789abcdef"}});

struct Client final : H2SessionEvents, H2StreamEvents {
    H2Session session{H2Role::client, kSettings, *this, 0};
    H2Stream* stream = nullptr;
    void on_data(std::string_view data) override { stream->consume(data.size()); }
    void on_end(H2Trailers) override {}
    void on_reset(const H2Reset&) override { std::abort(); }
    std::string ask() {
        std::string out;
        stream = session.open({"GET", "https", "a.example", "/path/to/thing"}, kAsked, true, *this);
        session.output(out, 65536, 0);
        return out;
    }
};

struct Server final : H2SessionEvents, H2StreamEvents {
    H2Session session{H2Role::server, kSettings, *this, 0};
    std::vector<H2Stream*> streams;
    std::vector<H2Request> requests;
    bool answers = true;
    void on_request(H2Stream& stream, H2Request request) override {
        streams.push_back(&stream);
        if (!answers) {
            requests.push_back(std::move(request));
            return;
        }
        stream.respond(200, kAnswered, false);
        stream.send(kBody, 0);
        stream.end();
    }
    void on_data(std::string_view) override {}
    void on_end(H2Trailers) override {}
    void on_reset(const H2Reset&) override {}
    void release() {
        for (H2Stream* stream : streams) {
            stream->release();
        }
        streams.clear();
    }
    void serve(const std::string& bytes, std::string& out) {
        out.clear();
        session.feed(bytes, 0);
        session.output(out, 65536, 0);
        release();
    }
};

// What a client sends for that many requests, one piece each.
std::vector<std::string> record(int count) {
    Client client;
    Server server;
    std::vector<std::string> pieces;
    std::string out;
    for (int i = 0; i < count; i++) {
        pieces.push_back(client.ask());
        server.serve(pieces.back(), out);
        client.session.feed(out, 0);
        client.stream->release();
    }
    return pieces;
}

// callgrind collects inside this function only.
extern "C" __attribute__((noinline)) void serve_all(Server& server, const std::vector<std::string>& pieces, std::string& out) {
    for (std::size_t i = 1; i < pieces.size(); i++) {
        server.serve(pieces[i], out);
    }
}

double serve_requests(int count) {
    const std::vector<std::string> pieces = record(count + 1);
    Server server;
    std::string out;
    server.serve(pieces[0], out);
    return bench::milliseconds([&] { serve_all(server, pieces, out); }) * 1e6 / count;
}

struct Memory {
    double heap, resident;
};
Memory memory_now() {
    std::ifstream file("/proc/self/statm");
    long pages = 0;
    file >> pages >> pages;
    return {static_cast<double>(mallinfo2().uordblks), static_cast<double>(pages) * 4096};
}

void tell_memory(bench::Table& table, const char* what, const Memory& before, int count) {
    const Memory now = memory_now();
    table.add(what, {(now.heap - before.heap) / count, (now.resident - before.resident) / count});
}

void measure_memory(bench::Table& table) {
    const std::string first = record(1)[0];
    std::string out;
    const int connections = 2000, streams = 100;
    std::vector<std::unique_ptr<Server>> all(connections);
    const Memory before = memory_now();
    for (auto& server : all) {
        server = std::make_unique<Server>();
        server->serve(first, out);
    }
    tell_memory(table, "idle connection", before, connections);
    Client client;
    std::string requests;
    std::vector<H2Stream*> asked;
    for (int i = 0; i < streams; i++) {
        requests += client.ask();
        asked.push_back(client.stream);
    }
    Server server;
    server.answers = false;
    server.streams.reserve(streams);
    server.requests.reserve(streams);
    const Memory idle = memory_now();
    server.session.feed(requests, 0);
    tell_memory(table, "open stream with its head", idle, streams);
    server.release();
    for (H2Stream* stream : asked) {
        stream->release();
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::strcmp(argv[1], "request") == 0) {
        serve_requests(std::atoi(argv[2]));
        return 0;
    }
    bench::Report report;
    std::vector<double> figures;
    for (int i = 0; i < 15; i++) {
        figures.push_back(serve_requests(2000));
    }
    report.table("HTTP/2", {{"CPU ns, best"}, {"CPU ns, median"}}).add("request, answer of 1 KiB", {bench::best(figures), bench::median(figures)});
    measure_memory(report.table("bytes", {{"heap"}, {"resident"}}));
    report.print();
    return 0;
}
