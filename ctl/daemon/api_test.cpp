// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/api.hpp"

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::daemon;
using nlohmann::json;

namespace {

// A daemon that remembers what it was asked.
class FakeBackend : public ApiBackend {
public:
    json version() override { return {{"version", "1"}}; }
    const Board& board() override { return board_; }
    Result<json> status() override { return json{{"pid", 1}}; }
    Result<json> objects(const ObjectFilter& filter) override {
        asked_filter = filter;
        if (!filter.kinds.empty() && filter.kinds.front() == "Unknown") {
            return Error{.code = Errc::not_found, .what = "no kind Unknown"};
        }
        return json::array({{{"kind", "Gateway"}}});
    }
    Result<std::string> tables() override { return std::string("vips\n"); }
    Result<json> counters() override { return json{{"time_ms", 1}}; }
    Result<json> snapshot() override { return json{{"root", ""}}; }
    Result<ApiChanged> change(const ApiChange& change) override {
        asked_change = change;
        ApiChanged changed{.generation = 5, .changed = json::array(), .diagnostics = json::array(), .not_good = nullptr};
        changed.refused = !change.documents.empty() && change.documents.front().text == "bad";
        if (changed.refused) {
            changed.diagnostics.push_back({{"severity", "error"}});
        }
        board_.set({.wanted = 5, .applied = 5, .taken = change.dry_run ? 0U : 5U});
        return changed;
    }
    Result<json> not_good() override { return json::array({"condition"}); }
    Result<json> unsolved() override { return json::array({"error"}); }

    Board board_;
    ObjectFilter asked_filter;
    ApiChange asked_change;
};

json body_of(const ApiReply& reply) { return json::parse(reply.body); }

ApiReply post(FakeBackend& backend, const char* path, const std::string& body) {
    return serve_api(backend, {.method = "POST", .path = path, .query = {}, .body = body, .peer = 7});
}

}  // namespace

TEST_CASE("api: every path answers its own method and no other") {
    FakeBackend backend;
    for (const char* path : {"/v1/version", "/v1/generation", "/v1/status", "/v1/objects", "/v1/tables", "/v1/counters", "/v1/snapshot"}) {
        INFO(path);
        CHECK(serve_api(backend, {.method = "GET", .path = path, .query = {}, .body = ""}).status == 200);
        CHECK(serve_api(backend, {.method = "POST", .path = path, .query = {}, .body = "{}"}).status == 400);
    }
    CHECK(serve_api(backend, {.method = "GET", .path = "/v1/load", .query = {}, .body = ""}).status == 400);
    CHECK(serve_api(backend, {.method = "GET", .path = "/v2/status", .query = {}, .body = ""}).status == 404);
    const ApiReply text = serve_api(backend, {.method = "GET", .path = "/v1/tables", .query = {{"format", "text"}}, .body = ""});
    CHECK(text.body == "vips\n");
    CHECK(text.type == "text/plain");
}

TEST_CASE("api: filters of objects: kinds repeated or as a list, an empty namespace is a namespace") {
    FakeBackend backend;
    (void)serve_api(backend, {.method = "GET", .path = "/v1/objects", .query = {{"kind", "Gateway,Service"}, {"kind", "Secret"}, {"namespace", ""}}, .body = ""});
    CHECK(backend.asked_filter.kinds == std::vector<std::string>{"Gateway", "Service", "Secret"});
    CHECK_FALSE(backend.asked_filter.any_ns);
    CHECK(backend.asked_filter.any_name);
    CHECK(serve_api(backend, {.method = "GET", .path = "/v1/objects", .query = {{"kind", "Unknown"}}, .body = ""}).status == 404);
}

TEST_CASE("api: a load is passed on, waited for and told with what is not good") {
    FakeBackend backend;
    const ApiReply reply = post(backend, "/v1/load", R"({"documents": [{"name": "a.yaml", "text": "kind: X"}], "replace": true, "wait_ms": 1000})");
    REQUIRE(reply.status == 200);
    const json body = body_of(reply);
    CHECK(body["generation"] == 5);
    CHECK(body["reached"] == true);
    CHECK(body["not_good"] == json::array({"condition"}));
    CHECK(body["errors"] == json::array({"error"}));
    CHECK(backend.asked_change.replace);
    CHECK(backend.asked_change.documents.at(0).name == "a.yaml");
    CHECK(backend.asked_change.peer == 7);
}

TEST_CASE("api: a dry run waits for nothing") {
    FakeBackend backend;
    const json body = body_of(post(backend, "/v1/load", R"({"documents": [], "dry_run": true, "wait_ms": 60000})"));
    CHECK(body["dry_run"] == true);
    CHECK(body["reached"] == false);
    CHECK(body["not_good"].is_null());
}

TEST_CASE("api: manifests with errors are 422 with their diagnostics") {
    FakeBackend backend;
    const ApiReply reply = post(backend, "/v1/load", R"({"documents": [{"name": "a", "text": "bad"}]})");
    CHECK(reply.status == 422);
    CHECK(body_of(reply)["diagnostics"].size() == 1);
    CHECK(body_of(reply)["error"]["message"] == "1 error in the manifests");
}

TEST_CASE("api: requests that are wrong are 400 and change nothing") {
    const char* const loads[] = {"", "[]", "{", "{}", R"({"documents": {}})", R"({"documents": [1]})", R"({"documents": [{"name": "a"}]})",
                                 R"({"documents": [], "dry_run": 1})", R"({"documents": [], "wait_ms": -1})", R"({"documents": [], "wait_ms": "1"})"};
    for (const char* body : loads) {
        INFO(body);
        FakeBackend backend;
        CHECK(post(backend, "/v1/load", body).status == 400);
        CHECK(backend.board_.get().wanted == 0);
    }
    for (const char* body : {"{}", R"({"objects": []})", R"({"objects": [{"kind": "Gateway", "name": "x"}]})"}) {
        INFO(body);
        FakeBackend backend;
        CHECK(post(backend, "/v1/delete", body).status == 400);
    }
    FakeBackend backend;
    for (const char* value : {"x", "-1", "1x", ""}) {
        INFO(value);
        CHECK(serve_api(backend, {.method = "GET", .path = "/v1/generation", .query = {{"wait", value}}, .body = ""}).status == 400);
    }
}

TEST_CASE("api: a delete names its objects") {
    FakeBackend backend;
    const ApiReply reply = post(backend, "/v1/delete", R"({"objects": [{"kind": "HTTPRoute", "namespace": "shop", "name": "cart"}]})");
    CHECK(reply.status == 200);
    REQUIRE(backend.asked_change.removals.size() == 1);
    CHECK(backend.asked_change.removals[0].ns == "shop");
}
