// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/heads.hpp"

#include "schema/packed.hpp"
#include "tools/test/catch.hpp"
#include "userspace/http/parser.hpp"
#include "userspace/http/writer.hpp"

using namespace penstock;
using namespace penstock::proxy;

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

std::unique_ptr<fb::HeaderEditT> edit(const Fields& set, const Fields& add, const std::vector<std::string>& remove) {
    auto made = std::make_unique<fb::HeaderEditT>();
    const auto fill = [](auto& to, const Fields& from) {
        for (const auto& [name, value] : from) {
            auto field = std::make_unique<fb::NameValueT>();
            field->name = name;
            field->value = value;
            to.push_back(std::move(field));
        }
    };
    fill(made->set, set);
    fill(made->add, add);
    made->remove = remove;
    return made;
}

const ClientFacts kClient = {"192.0.2.7", false, 8080};

std::string request(const std::string& text, const Treatment& treatment = {}, const ClientFacts& client = kClient, std::string_view id = "id-1") {
    http::RequestParser parser;
    REQUIRE(parser.parse(text) == http::Progress::done);
    Outgoing outgoing;
    prepare_request(outgoing, parser.head(), parser.head().path, client, treatment, id);
    std::string first;
    write_head(first, outgoing);
    outgoing.own();
    std::string out;
    write_head(out, outgoing);
    CHECK(out == first);
    return out;
}

std::string text_of(const http::ResponseHead& head) {
    std::string out;
    http::HeadWriter(out).status(head.status, head.reason).headers(head.headers).framing(head.framing, head.content_length).end();
    return out;
}

std::string response(const std::string& text, const Treatment& treatment = {}) {
    http::ResponseParser parser;
    parser.expect("GET");
    REQUIRE(parser.parse(text) == http::Progress::done);
    prepare_response(parser.head(), treatment);
    return text_of(parser.head());
}

std::string refusal_text(const Refusal& refusal) {
    Answer answer;
    make_refusal(answer, refusal);
    return text_of(answer.head) + answer.body;
}

bool has(const std::string& head, const std::string& line) { return head.find("\r\n" + line + "\r\n") != std::string::npos; }
bool mentions(const std::string& head, const std::string& text) { return head.find(text) != std::string::npos; }

}  // namespace

TEST_CASE("heads: the path after an edit is that of the Gateway API") {
    struct Case {
        const char *path, *prefix, *replacement, *result;
    };
    // HTTPPathModifier, ReplacePrefixMatch, with the elements of its table.
    const Case cases[] = {
        {"/foo/bar", "/foo", "/xyz", "/xyz/bar"}, {"/foo/bar", "/foo", "/xyz/", "/xyz/bar"}, {"/foo", "/foo", "/xyz", "/xyz"},
        {"/foo/", "/foo", "/xyz", "/xyz/"},       {"/foo/bar", "/foo", "", "/bar"},          {"/foo/", "/foo", "", "/"},
        {"/foo", "/foo", "", "/"},                {"/foo/", "/foo", "/", "/"},               {"/foo", "/foo", "/", "/"},
        {"/foo/bar", "/foo", "/", "/bar"},        {"/bar", "/", "/xyz", "/xyz/bar"},         {"/", "/", "/xyz", "/xyz/"},
        {"/a/b/c", "/a/b", "/x/y", "/x/y/c"},
    };
    for (const Case& one : cases) {
        INFO(one.path << " " << one.prefix << " -> " << one.replacement);
        CHECK(edited_path(one.path, fb::PathEdit::ReplacePrefix, one.replacement, one.prefix) == one.result);
    }
    CHECK(edited_path("/foo", fb::PathEdit::None, "/x", "/foo") == "/foo");
    CHECK(edited_path("/foo/bar", fb::PathEdit::ReplaceFull, "/x", "/foo") == "/x");
    CHECK(edited_path("/foo/bar", fb::PathEdit::ReplaceFull, "", "/foo") == "/");
}

TEST_CASE("heads: a request tells the backend whom it comes from, whatever the client claims") {
    const std::string head = request(
        "GET /a?x=1 HTTP/1.1\r\nHost: Shop:8080\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: 10.0.0.2\r\nX-Forwarded-Proto: https\r\n"
        "X-Forwarded-Host: evil\r\n\r\n");
    CHECK(head.starts_with("GET /a?x=1 HTTP/1.1\r\nHost: Shop:8080\r\n"));
    CHECK(has(head, "X-Forwarded-For: 10.0.0.1, 10.0.0.2, 192.0.2.7"));
    CHECK(has(head, "X-Forwarded-Proto: http"));
    CHECK(has(head, "X-Forwarded-Host: Shop:8080"));
    CHECK_FALSE(mentions(head, "evil"));
    CHECK(has(request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", {}, {"::1", true, 443}), "X-Forwarded-Proto: https"));
}

TEST_CASE("heads: what we say and what filters decide cannot be said in CGI's other spelling") {
    fb::FiltersT rule, backend;
    rule.request_headers = edit({{"X-User-Role", "guest"}}, {{"X-Added", "1"}}, {"X-Debug-Token"});
    backend.request_headers = edit({{"X_Tenant-Id", "7"}}, {}, {});
    struct Row {
        const char* field;
        bool stays;
    };
    for (const Row& row : std::initializer_list<Row>{
             {"X_Forwarded_For", false},   {"x_forwarded-for", false},   {"X-Forwarded_Proto", false}, {"X_FORWARDED_HOST", false}, {"X_Request_ID", false},
             {"X_User_Role", false},       {"X-User_role", false},       {"X_Debug_Token", false},     {"X_Tenant_Id", true},       {"X-Tenant-Id", true},
             {"X_Added", true},            {"My_Own_Field", true},       {"X_Forwarded_For_", true},   {"XX_Forwarded_For", true},  {"_", true},
         }) {
        INFO(row.field);
        const std::string head = request("GET / HTTP/1.1\r\nHost: a\r\n" + std::string(row.field) + ": forged\r\n\r\n", {&*fb::Packed(rule), &*fb::Packed(backend), "/"});
        CHECK(has(head, std::string(row.field) + ": forged") == row.stays);
        CHECK(has(head, "X-Forwarded-For: 192.0.2.7"));
        CHECK(has(head, "X-User-Role: guest"));
        CHECK(has(head, "X_Tenant-Id: 7"));
    }
}

TEST_CASE("heads: Via gets our name where the listener has one, with the version that came") {
    const std::string get = "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 first\r\n\r\n";
    CHECK(request(get).find("Via: 1.0 first\r\n") != std::string::npos);
    CHECK(request(get).find("edge") == std::string::npos);
    struct Row {
        HttpVersion version;
        const char* said;
    };
    for (const Row& row : {Row{HttpVersion::http10, "1.0 edge"}, {HttpVersion::http11, "1.1 edge"}, {HttpVersion::http2, "2 edge"}}) {
        Treatment treatment;
        treatment.via = "edge";
        treatment.version = row.version;
        CHECK(request(get, treatment).find("Via: 1.0 first\r\n") < request(get, treatment).find("Via: " + std::string(row.said) + "\r\n"));
        CHECK(request(get, treatment).find("Via: " + std::string(row.said) + "\r\n") != std::string::npos);
    }
}

TEST_CASE("heads: OPTIONS and TRACE say how often they may be passed on") {
    struct Row {
        const char *method, *field, *passed_on;
    };
    for (const Row& row : std::initializer_list<Row>{{"OPTIONS", "1", "0"}, {"TRACE", "10", "9"}, {"OPTIONS", "007", "6"}, {"OPTIONS", "18446744073709551616", "18446744073709551614"},
                                                     {"GET", "1", "1"}, {"OPTIONS", "-1", "-1"}, {"OPTIONS", "1x", "1x"}, {"OPTIONS", "", ""}}) {
        INFO(row.method << " " << row.field);
        const std::string text = row.method + std::string(" / HTTP/1.1\r\nHost: a\r\nMax-Forwards: ") + row.field + "\r\n\r\n";
        CHECK(request(text).find("Max-Forwards: " + std::string(row.passed_on) + "\r\n") != std::string::npos);
    }
}

TEST_CASE("heads: a request has one id, the client's if it can stand anywhere") {
    for (const char* text : {"a", "2f1c-7.~x/y:z+w=@_", "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789abcdef"}) {
        INFO(text);
        CHECK(is_request_id(text) == (std::string_view(text).size() <= 128));
    }
    for (const char* text : {"", "a b", "a\"b", "a\\b", "<b>", "a\nb", "a;b", "a,b", "\xc3\xa9", "a\x1b[31m"}) {
        INFO(text);
        CHECK_FALSE(is_request_id(text));
    }
    CHECK(has(request("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "X-Request-Id: id-1"));
    CHECK(has(request("GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: mine\r\n\r\n", {}, kClient, "mine"), "X-Request-ID: mine"));
    // Not the one that was taken: replaced.
    for (const char* fields : {"X-Request-ID: a b\r\n", "X-Request-ID: mine\r\nX-Request-ID: mine\r\n", "x-request-id: id-1\r\nX-Request-ID: other\r\n"}) {
        const std::string head = request(std::string("GET / HTTP/1.1\r\nHost: a\r\n") + fields + "\r\n");
        CHECK(has(head, "X-Request-Id: id-1"));
        CHECK_FALSE(mentions(head, "a b"));
        CHECK_FALSE(mentions(head, "mine"));
        CHECK_FALSE(mentions(head, "other"));
    }
}

TEST_CASE("heads: what belongs to one connection stays there") {
    const std::string head = request(
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Secret, Host\r\nX-Secret: 1\r\nKeep-Alive: 3\r\nProxy-Connection: x\r\nTE: gzip\r\n"
        "Upgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (const char* gone : {"X-Secret", "Keep-Alive", "Proxy-Connection", "TE:", "Upgrade", "Connection"}) {
        INFO(gone);
        CHECK_FALSE(mentions(head, gone));
    }
    CHECK(has(head, "Host: a"));
    CHECK(has(head, "Transfer-Encoding: chunked"));
    const std::string both = request("GET / HTTP/1.1\r\nHost: a\r\nTE: gzip, trailers\r\nConnection: TE, Upgrade\r\nUpgrade: websocket\r\n\r\n");
    CHECK(has(both, "TE: trailers"));
    CHECK(has(both, "Connection: upgrade, TE"));
    CHECK(has(request("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"), "Content-Length: 4"));
    CHECK(has(request("POST / HTTP/1.1\r\nHost: a\r\n\r\n"), "Content-Length: 0"));
    CHECK_FALSE(mentions(request("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "Content-Length"));
    const std::string upgrade = request("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    CHECK(has(upgrade, "Connection: upgrade"));
    CHECK(has(upgrade, "Upgrade: websocket"));
    CHECK_FALSE(mentions(request("PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"), "Expect"));
}

TEST_CASE("heads: filters edit a request, the rule's before the backend's") {
    fb::FiltersT rule;
    rule.request_headers = edit({{"X-Set", "rule"}, {"X-Both", "rule"}}, {{"X-Add", "2"}}, {"X-Gone"});
    rule.rewrite = std::make_unique<fb::RewriteT>();
    rule.rewrite->hostname = "inside";
    rule.rewrite->path_edit = fb::PathEdit::ReplacePrefix;
    rule.rewrite->path = "/v2";
    fb::FiltersT backend;
    backend.request_headers = edit({{"X-Both", "backend"}}, {}, {});
    const std::string head = request("GET /v1/a?q HTTP/1.1\r\nHost: out\r\nx-set: client\r\nX-Add: 1\r\nx-gone: 1\r\n\r\n", {&*fb::Packed(rule), &*fb::Packed(backend), "/v1"});
    CHECK(head.starts_with("GET /v2/a?q HTTP/1.1\r\nHost: inside\r\n"));
    CHECK(has(head, "X-Set: rule"));
    CHECK(has(head, "X-Both: backend"));
    CHECK(has(head, "X-Add: 1"));
    CHECK(has(head, "X-Add: 2"));
    CHECK(has(head, "X-Forwarded-Host: out"));
    CHECK_FALSE(mentions(head, "gone"));
    rule.request_headers = edit({{"Host", "edited"}}, {}, {});
    rule.rewrite.reset();
    CHECK(has(request("GET / HTTP/1.1\r\nHost: out\r\n\r\n", {&*fb::Packed(rule), nullptr, "/"}), "Host: edited"));
}

TEST_CASE("heads: prefixes and whole paths are exchanged by the filters of a rule and of a backend alike, the query stays") {
    struct Case {
        const char *target, *prefix;
        fb::PathEdit edit;
        const char *replacement, *result;
    };
    constexpr auto kPrefix = fb::PathEdit::ReplacePrefix, kFull = fb::PathEdit::ReplaceFull;
    // HTTPPathModifier's table; prefixes come without the slash at their end, so "/foo/" is "/foo".
    const Case cases[] = {
        {"/foo/bar", "/foo", kPrefix, "/xyz", "/xyz/bar"},   {"/foo/bar", "/foo", kPrefix, "/xyz/", "/xyz/bar"}, {"/foo", "/foo", kPrefix, "/xyz", "/xyz"},
        {"/foo/", "/foo", kPrefix, "/xyz", "/xyz/"},         {"/foo/bar", "/foo", kPrefix, "", "/bar"},          {"/foo/", "/foo", kPrefix, "", "/"},
        {"/foo", "/foo", kPrefix, "", "/"},                  {"/foo/", "/foo", kPrefix, "/", "/"},               {"/foo", "/foo", kPrefix, "/", "/"},
        {"/foo/bar?a=/foo", "/foo", kPrefix, "/x", "/x/bar?a=/foo"}, {"/foo?", "/foo", kPrefix, "/x", "/x?"},    {"/foo/a%2Fb", "/foo", kPrefix, "/x", "/x/a%2Fb"},
        {"/foo/bar?a=1", "/foo", kFull, "/one", "/one?a=1"}, {"/foo", "/", kFull, "", "/"},
    };
    for (const Case& one : cases) {
        INFO(one.target << " " << one.replacement);
        fb::FiltersT filters;
        filters.rewrite = std::make_unique<fb::RewriteT>();
        filters.rewrite->path_edit = one.edit;
        filters.rewrite->path = one.replacement;
        const std::string text = "GET " + std::string(one.target) + " HTTP/1.1\r\nHost: a\r\n\r\n", start = "GET " + std::string(one.result) + " HTTP/1.1\r\n";
        CHECK(request(text, {&*fb::Packed(filters), nullptr, one.prefix}).starts_with(start));
        CHECK(request(text, {nullptr, &*fb::Packed(filters), one.prefix}).starts_with(start));
        fb::FiltersT other;
        other.rewrite = std::make_unique<fb::RewriteT>();
        other.rewrite->path_edit = kFull;
        other.rewrite->path = "/of-the-rule";
        CHECK(request(text, {&*fb::Packed(other), &*fb::Packed(filters), one.prefix}).starts_with(start));  // the backend's is nearer
    }
}

TEST_CASE("heads: filters edit a response, and its framing is ours") {
    fb::FiltersT rule;
    rule.response_headers = edit({{"Server", "edge"}}, {{"Via", "edge"}}, {"X-Inside"});
    const std::string head = response("HTTP/1.1 200 Fine\r\nServer: x\r\nX-Inside: 1\r\nConnection: close\r\nContent-Length: 3\r\n\r\n", {&*fb::Packed(rule), nullptr, {}});
    CHECK(head.starts_with("HTTP/1.1 200 Fine\r\n"));
    CHECK(has(head, "Server: edge"));
    CHECK(has(head, "Via: edge"));
    CHECK(has(head, "Content-Length: 3"));
    CHECK_FALSE(mentions(head, "X-Inside"));
    CHECK_FALSE(mentions(head, "Connection"));
    CHECK(has(response("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"), "Content-Length: 7"));
    const std::string switching = response("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    CHECK(has(switching, "Upgrade: x"));
    CHECK_FALSE(mentions(response("HTTP/1.1 204 No Content\r\nUpgrade: x\r\n\r\n"), "Upgrade"));
    // The backend's own filter is nearer to it: the rule's has the last word.
    fb::FiltersT backend;
    backend.response_headers = edit({{"Server", "backend"}, {"X-Backend", "2"}}, {}, {"x-AGE"});
    const std::string both = response("HTTP/1.1 200 OK\r\nServer: x\r\nX-Age: 1\r\nContent-Length: 0\r\n\r\n", {&*fb::Packed(rule), &*fb::Packed(backend), {}});
    CHECK(has(both, "Server: edge"));
    CHECK(has(both, "X-Backend: 2"));
    CHECK_FALSE(mentions(both, "X-Age"));
}

TEST_CASE("heads: a redirect goes where the filter, the request and the listener say") {
    struct Case {
        const char *scheme, *hostname;
        std::uint16_t port;
        bool tls;
        std::uint16_t listener;
        const char* location;
    };
    const Case cases[] = {
        {"", "", 0, false, 8080, "http://shop.example:8080/old/x?q=1"}, {"", "", 0, false, 80, "http://shop.example/old/x?q=1"},
        {"https", "", 0, false, 8080, "https://shop.example/old/x?q=1"}, {"http", "", 0, true, 443, "http://shop.example/old/x?q=1"},
        {"", "other", 0, true, 443, "https://other/old/x?q=1"},          {"https", "", 443, false, 80, "https://shop.example/old/x?q=1"},
        {"http", "", 8083, true, 443, "http://shop.example:8083/old/x?q=1"}, {"", "", 80, false, 8080, "http://shop.example/old/x?q=1"},
        // Every pair of the conformance suite's HTTPRouteRedirectPortAndScheme: scheme and port of the filter, on listeners 80, 8080 and 443.
        {"http", "", 0, false, 80, "http://shop.example/old/x?q=1"},       {"http", "", 80, false, 80, "http://shop.example/old/x?q=1"},
        {"http", "", 8080, false, 80, "http://shop.example:8080/old/x?q=1"}, {"https", "", 0, false, 80, "https://shop.example/old/x?q=1"},
        {"https", "", 8443, false, 80, "https://shop.example:8443/old/x?q=1"}, {"http", "", 0, false, 8080, "http://shop.example/old/x?q=1"},
        {"http", "", 80, false, 8080, "http://shop.example/old/x?q=1"},    {"https", "", 443, false, 8080, "https://shop.example/old/x?q=1"},
        {"https", "", 8443, false, 8080, "https://shop.example:8443/old/x?q=1"}, {"", "", 0, true, 443, "https://shop.example/old/x?q=1"},
        {"", "", 443, true, 443, "https://shop.example/old/x?q=1"},        {"", "", 8443, true, 443, "https://shop.example:8443/old/x?q=1"},
        {"http", "", 80, true, 443, "http://shop.example/old/x?q=1"},      {"http", "", 8080, true, 443, "http://shop.example:8080/old/x?q=1"},
        {"https", "", 0, true, 443, "https://shop.example/old/x?q=1"},     {"https", "", 8443, true, 443, "https://shop.example:8443/old/x?q=1"},
        {"https", "", 80, false, 80, "https://shop.example:80/old/x?q=1"}, {"http", "", 443, true, 443, "http://shop.example:443/old/x?q=1"},
    };
    const std::string text = "GET /old/x?q=1 HTTP/1.1\r\nHost: Shop.Example:1234\r\n\r\n";
    http::RequestParser parser;
    REQUIRE(parser.parse(text) == http::Progress::done);
    for (const Case& one : cases) {
        fb::RedirectT redirect;
        redirect.scheme = one.scheme;
        redirect.hostname = one.hostname;
        redirect.port = one.port;
        redirect.status = 301;
        Answer answer;
        make_redirect(answer, parser.head(), "/old/x", {"1.2.3.4", one.tls, one.listener}, *fb::Packed(redirect), "/old");
        const std::string out = text_of(answer.head);
        CHECK(out.starts_with("HTTP/1.1 301 "));
        CHECK(has(out, "Location: " + std::string(one.location)));
        CHECK(has(out, "Content-Length: 0"));
    }
    for (const auto& [edit, location] : {std::pair(fb::PathEdit::ReplacePrefix, "http://shop.example/new/x?q=1"), {fb::PathEdit::ReplaceFull, "http://shop.example/new?q=1"}}) {
        for (const std::uint16_t status : std::initializer_list<std::uint16_t>{0, 301, 302, 303, 307, 308}) {
            fb::RedirectT redirect;
            redirect.path_edit = edit;
            redirect.path = "/new";
            redirect.status = status == 0 ? redirect.status : status;
            Answer answer;
            make_redirect(answer, parser.head(), "/old/x", {"1.2.3.4", false, 80}, *fb::Packed(redirect), "/old");
            const std::string out = text_of(answer.head);
            CHECK(out.starts_with("HTTP/1.1 " + std::to_string(status == 0 ? 302 : status) + " "));
            CHECK(has(out, "Location: " + std::string(location)));
        }
    }
}

TEST_CASE("heads: a refusal says its reason as text, JSON or HTML, and is kept by nobody") {
    Refusal refusal{.reason = Reason::no_backend, .status = 503, .detail = {}, .request_id = "a-b", .language = Language::json, .to_head = false};
    const std::string json = refusal_text(refusal);
    CHECK(has(json, "X-Penstock-Reason: no_backend"));
    CHECK(json.ends_with(R"({"status":503,"reason":"no_backend","message":"the service has no ready endpoint","request_id":"a-b"})" "\n"));
    CHECK(has(json, "X-Request-Id: a-b"));
    CHECK(has(json, "Content-Type: application/json"));
    CHECK(has(json, "Cache-Control: no-store"));
    refusal.language = Language::html;
    const std::string html = refusal_text(refusal);
    CHECK(has(html, "Content-Type: text/html; charset=utf-8"));
    CHECK(mentions(html, "<h1>503 Service Unavailable</h1><p>no_backend: the service has no ready endpoint</p><p>request a-b</p>"));
    refusal.language = Language::text;
    refusal.detail = "more of it";
    const std::string text = refusal_text(refusal);
    CHECK(text.ends_with("\r\n\r\n503 Service Unavailable\nno_backend: more of it\nrequest a-b\n"));
    refusal.to_head = true;
    const std::string bare = refusal_text(refusal);
    CHECK(bare.ends_with("\r\n\r\n"));
    CHECK(has(bare, "Content-Length: 59"));
}
