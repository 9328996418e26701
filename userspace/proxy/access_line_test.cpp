// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/access_line.hpp"

#include <nlohmann/json.hpp>
#include <random>

#include "schema/packed.hpp"
#include "userspace/proxy/testing.hpp"

using namespace penstock;
using namespace penstock::proxy;
using nlohmann::json;

namespace {

constexpr std::int64_t kNoon = 1'767'323'045'678'901;  // 2026-01-02T03:04:05.678901Z

std::string json_of(std::string_view text) {
    std::string out = "\"";
    append_json(out, text);
    return out + "\"";
}

fb::Packed<fb::RuleT> rule_two() {
    fb::RuleT rule;
    rule.object = testing::object("HTTPRoute", "cart");
    rule.index = 2;
    return fb::Packed(rule);
}

// All that a record refers to.
struct Facts {
    ClientFacts client;
    Listener listener;
    fb::Packed<fb::RuleT> spec = rule_two();
    Rule rule;
    BackendSet set;
    http::RequestHead head;
    Record record;

    Facts() {
        client.address = "192.0.2.7";
        client.tls = true;
        client.port = 443;
        client.server_name = "shop.example";
        client.tls_version = "TLSv1.3";
        client.tls_cipher = "TLS_AES_128_GCM_SHA256";
        client.tls_resumed = true;
        listener.name = "Gateway/default/edge/https";
        rule.spec = &*spec;
        set.name = "Service default/web:80";
        head.method = "GET";
        head.target = "/a?token=secret";
        head.host = "shop.example";
        head.headers.add("User-Agent", "curl/8");
        head.headers.add("Authorization", "Bearer secret");
        head.headers.add("Cookie", "secret=1");
        record.client = &client;
        record.version = HttpVersion::http2;
        record.began = ring::Time(std::chrono::seconds(10));
        record.done = record.began + std::chrono::microseconds(1500);
    }
    void serve() {
        record.listener = &listener;
        record.rule = &rule;
        record.request_id = "id-1";
        record.attempt(set, record.began);
        record.reach(*Endpoint::parse("10.0.0.1:8080"), true, record.began + std::chrono::microseconds(100));
        record.answered(200, record.began + std::chrono::microseconds(1200));
        record.status = 200;
        record.bytes_in = 50;
        record.bytes_out = 1000;
    }
};

}  // namespace

TEST_CASE("access_line: a request as JSON and as text") {
    Facts facts;
    facts.record.head.keep(facts.head, false);
    facts.serve();
    std::string line;
    write_json_line(line, facts.record, kNoon);
    CHECK(line.ends_with("}\n"));
    CHECK(json::parse(line) == json{{"time", "2026-01-02T03:04:05.678901Z"}, {"client", "192.0.2.7"}, {"method", "GET"}, {"host", "shop.example"}, {"target", "/a?"},
                                    {"protocol", "HTTP/2"}, {"status", 200}, {"bytes_out", 1000}, {"user_agent", "curl/8"}, {"listener", "Gateway/default/edge/https"},
                                    {"route", "HTTPRoute/default/cart"}, {"rule", 2}, {"service", "Service default/web:80"}, {"attempts", 1}, {"endpoint", "10.0.0.1:8080"},
                                    {"reused", 1}, {"bytes_in", 50}, {"duration_us", 1500}, {"connected_us", 100}, {"first_byte_us", 1200}, {"tls", "TLSv1.3"},
                                    {"cipher", "TLS_AES_128_GCM_SHA256"}, {"sni", "shop.example"}, {"resumed", 1}, {"request_id", "id-1"}});
    line.clear();
    write_text_line(line, facts.record, kNoon);
    CHECK(line == "192.0.2.7 - [2026-01-02T03:04:05.678901Z] \"GET /a? HTTP/2\" 200 1000 \"shop.example\" \"curl/8\" listener=\"Gateway/default/edge/https\" "
                  "route=\"HTTPRoute/default/cart\" rule=2 service=\"Service default/web:80\" attempts=1 endpoint=\"10.0.0.1:8080\" reused=1 bytes_in=50 duration_us=1500 "
                  "connected_us=100 first_byte_us=1200 tls=\"TLSv1.3\" cipher=\"TLS_AES_128_GCM_SHA256\" sni=\"shop.example\" resumed=1 request_id=\"id-1\"\n");
}

TEST_CASE("access_line: a request that could not be read has a line of what is known") {
    Facts facts;
    facts.client.tls = false;
    facts.record.status = 400;
    facts.record.fail(Reason::bad_request);
    std::string line;
    write_json_line(line, facts.record, kNoon);
    CHECK(json::parse(line)["reason"] == "bad_request");
    line.clear();
    facts.record.believed_client = "2001:db8::7";
    write_text_line(line, facts.record, kNoon);
    CHECK(line == "2001:db8::7 - [2026-01-02T03:04:05.678901Z] \"  HTTP/2\" 400 0 \"\" \"\" reason=\"bad_request\" bytes_in=0 duration_us=1500 request_id=\"\"\n");
}

TEST_CASE("access_line: a query is written if it is asked for") {
    for (const auto& [target, without] : std::initializer_list<std::pair<const char*, const char*>>{
             {"/a?token=secret", "/a?"}, {"/a", "/a"}, {"/?", "/?"}, {"*", "*"}, {"", ""}, {"http://shop/a?b?c", "http://shop/a?"}}) {
        INFO(target);
        Facts facts;
        facts.head.target = target;
        facts.record.head.keep(facts.head, false);
        CHECK(facts.record.head.target() == without);
        facts.record.head.keep(facts.head, true);
        CHECK(facts.record.head.target() == target);
        CHECK(facts.record.head.host() == "shop.example");
    }
}

TEST_CASE("access_line: what a client sends stays inside its value") {
    const std::string evil = "x\"} \\\n\r\t\x1b[31m\x7f\xc2\x9b" "31m\xff\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82\xac\",\"status\":200";
    Facts facts;
    facts.head.target = evil;
    facts.head.headers.set("User-Agent", evil);
    facts.head.host = evil;
    facts.client.server_name = evil;
    facts.record.head.keep(facts.head, true);
    std::string line;
    write_json_line(line, facts.record, kNoon);
    CHECK(std::count(line.begin(), line.end(), '\n') == 1);
    const json read = json::parse(line);
    CHECK(read["status"] == 0);
    CHECK(read["target"].get<std::string>().starts_with("x\"} \\\n\r\t\x1b[31m\x7f\xc2\x9b" "31m\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"));
    CHECK(read["target"].get<std::string>().ends_with("\xe2\x82\xac\",\"status\":200"));
    line.clear();
    write_text_line(line, facts.record, kNoon);
    CHECK(std::count(line.begin(), line.end(), '\n') == 1);
    CHECK(std::all_of(line.begin(), line.end() - 1, [](char letter) { return letter >= 0x20 && letter < 0x7f; }));
    CHECK(line.find("\"GET x\\\"} \\\\\\x0a\\x0d\\x09\\x1b[31m\\x7f\\xc2\\x9b") != std::string::npos);
}

TEST_CASE("access_line: no secret is written") {
    Facts facts;
    facts.record.head.keep(facts.head, false);
    for (const auto write : {write_json_line, write_text_line}) {
        std::string line;
        write(line, facts.record, kNoon);
        CHECK(line.find("secret") == std::string::npos);
    }
}

TEST_CASE("access_line: any bytes give JSON, and characters that are none are replaced") {
    CHECK(json_of("") == "\"\"");
    CHECK(json_of("\xf0\x9f\x98\x80") == "\"\xf0\x9f\x98\x80\"");
    CHECK(json_of("\xf0\x9f\x98") == "\"\\ufffd\\ufffd\\ufffd\"");
    CHECK(json_of(std::string_view("\0", 1)) == "\"\\u0000\"");
    const auto seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random(seed);
    for (int i = 0; i < 2000; ++i) {
        std::string bytes(random() % 40, 0);
        for (char& byte : bytes) {
            byte = static_cast<char>(random() % 4 == 0 ? random() % 128 : 128 + random() % 128);
        }
        INFO(json_of(bytes));
        CHECK(json::accept(json_of(bytes)));
    }
}
