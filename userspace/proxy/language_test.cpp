// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/language.hpp"

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::proxy;

namespace {

Language chosen(std::vector<std::string_view> accept, HttpVersion version = HttpVersion::http11, std::string_view content_type = {}) {
    http::RequestHead head;
    for (const std::string_view value : accept) {
        head.headers.add("Accept", value);
    }
    if (!content_type.empty()) {
        head.headers.add("Content-Type", content_type);
    }
    return language_of(head, version);
}

}  // namespace

TEST_CASE("language: an answer of ours is in what the client likes best of what we have") {
    const std::pair<std::string_view, Language> cases[] = {
        {"", Language::text},
        {"*/*", Language::text},
        {"text/plain", Language::text},
        {"application/json", Language::json},
        {"Application/JSON", Language::json},
        {"application/*", Language::json},
        {"application/json, text/plain, */*", Language::json},
        {"text/plain, application/json", Language::text},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", Language::html},
        {"text/html;q=0.5, application/json;q=0.6", Language::json},
        {"text/html;q=0.500, application/json;q=0.4", Language::html},
        {"text/*", Language::text},
        {"text/*;q=0.3, text/html;q=0.7", Language::html},
        {"application/json;q=0, */*", Language::text},
        {"text/plain;q=0, */*;q=0.1", Language::json},
        {"text/html;level=1;q=0.2, application/json ; q=0.1", Language::html},
        {"text/html;q=2, application/json;q=0.1", Language::json},
        {"text/html;q=, application/json;q=0.1", Language::json},
        {"image/png", Language::text},
        {"text/plain;q=0", Language::text},
        {";;;,,,;q=1,q", Language::text},
    };
    for (const auto& [accept, expected] : cases) {
        INFO(accept);
        CHECK(chosen({accept}) == expected);
    }
    CHECK(chosen({"text/html;q=0.1", "application/json"}) == Language::json);
    CHECK(chosen({"text/html"}, HttpVersion::http2, "application/grpc+proto") == Language::grpc);
    CHECK(chosen({"text/html"}, HttpVersion::http11, "application/grpc") == Language::html);
}

TEST_CASE("language: nothing that a page tells can leave its place in it") {
    const Page page{.status = 400, .reason = "bad_request", .text = "<b>\"x\" & \\y\\</b>\n", .request_id = "'\xff'"};
    CHECK(page_of(page, Language::text) == "400 Bad Request\nbad_request: <b>\"x\" & \\y\\</b>\n\nrequest '\xff'\n");
    CHECK(page_of(page, Language::json) == R"({"status":400,"reason":"bad_request","message":"<b>\"x\" & \\y\\</b>?","request_id":"'?'"})" "\n");
    CHECK(page_of(page, Language::html).find("<p>bad_request: &lt;b&gt;&quot;x&quot; &amp; \\y\\&lt;/b&gt;\n</p><p>request &#39;\xff&#39;</p>") != std::string::npos);
}
