// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/asking.hpp"

#include "tools/test/api_server.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::kubeapi;
using penstock::model::Kind;

namespace {

nlohmann::json service(const std::string& ns, const std::string& name, nlohmann::json labels = nlohmann::json::object()) {
    return {{"apiVersion", "v1"}, {"kind", "Service"}, {"metadata", {{"name", name}, {"namespace", ns}, {"labels", std::move(labels)}}}};
}

struct Asked {
    test::ApiServer server;
    std::unique_ptr<Client> client;
    Asking asking;

    explicit Asked(milliseconds patience = milliseconds(30'000)) : client(start(server.url())), asking(*client, patience) {}
    static std::unique_ptr<Client> start(const std::string& url) {
        Access access;
        access.server = url;
        access.token.bytes = "abc";
        access.as = {.user = "jane", .uid = "7", .groups = {"a", "b"}, .extra = {{"x.example/y", "z"}}};
        auto client = Client::start(std::move(access));
        REQUIRE(client.ok());
        return std::move(*client);
    }
    std::size_t count(const std::optional<std::string>& ns, const std::string& selector = "") {
        const auto found = asking.list(built_in_resources().at(Kind::service), ns, selector, "");
        REQUIRE(found.ok());
        return found->size();
    }
};

// Says the same to everything, at once.
struct OneAnswer final : Client {
    std::string body;
    ClientCounts counted;
    explicit OneAnswer(std::string text) : body(std::move(text)) {}
    void send(Request, Done done) override { done(Answer{.status = 200, .body = body, .retry_after = {}}); }
    std::uint64_t stream(Request, OnLine, Done) override { return 0; }
    void end_stream(std::uint64_t) override {}
    void after(milliseconds, Task) override {}
    [[nodiscard]] const ClientCounts& counts() const override { return counted; }
};

std::string report_of(const Error& error) { return error.report(); }

}  // namespace

TEST_CASE("asking: lists come in pages, of one namespace or all, by label, each object with its kind") {
    Asked asked;
    asked.server.page = 2;
    for (const char* name : {"a", "b", "c", "d", "e"}) {
        asked.server.put(service("shop", name, {{"app", name}}));
    }
    asked.server.put(service("other", "a"));
    CHECK(asked.count({}) == 6);
    CHECK(asked.server.seen().front() == "GET /api/v1/services?limit=500 Bearer abc Impersonate-Extra-x.example%2Fy=z Impersonate-Group=a Impersonate-Group=b "
                                         "Impersonate-Uid=7 Impersonate-User=jane");
    CHECK(asked.count("shop") == 5);
    CHECK(asked.count("nowhere") == 0);
    CHECK(asked.count("shop", "app=b") == 1);
    const auto found = asked.asking.list(built_in_resources().at(Kind::service), "other", "", "");
    CHECK(*found->front().find("kind")->as_string() == "Service");
    CHECK(*found->front().find("apiVersion")->as_string() == "v1");
}

TEST_CASE("asking: kinds are discovered, one by name too, and what is not served is told with what is") {
    Asked asked;
    asked.server.hide("tlsroutes", true);
    const auto all = asked.asking.discover();
    REQUIRE(all.ok());
    CHECK(all->at(Kind::http_route).collection_in("a b") == "/apis/gateway.networking.k8s.io/v1/namespaces/a%20b/httproutes");
    CHECK_FALSE(all->contains(Kind::tls_route));
    const auto deployment = asked.asking.resource("apps/v1", "Deployment");
    REQUIRE(deployment.ok());
    CHECK(deployment->path("x", "y") == "/apis/apps/v1/namespaces/x/deployments/y");
    const auto hidden = asked.asking.resource("gateway.networking.k8s.io/v1", "TLSRoute");
    REQUIRE_FALSE(hidden.ok());
    CHECK(hidden.error().code == Errc::not_found);
    CHECK(report_of(hidden.error()).find("no kind TLSRoute in gateway.networking.k8s.io/v1\nhint: of this group it serves the versions v1") != std::string::npos);
    CHECK(report_of(asked.asking.resource("example.com/v1", "Thing").error()).find("its CRD is not installed") != std::string::npos);
}

TEST_CASE("asking: a refusal names verb and resource and what would allow it") {
    struct Row {
        int status;
        Errc code;
        const char* says;
    };
    const Row rows[] = {
        {401, Errc::denied, "hint: the API server does not know these credentials"},
        {403, Errc::denied, "hint: a Role or ClusterRole must allow the verb \"list\" on \"services\" to this user"},
        {404, Errc::not_found, "list services in the namespace shop: made to fail"},
        {500, Errc::internal, "list services in the namespace shop: made to fail"},
    };
    for (const Row& row : rows) {
        Asked asked;
        asked.server.fail("/services", row.status, 1);
        const auto list = asked.asking.list(built_in_resources().at(Kind::service), "shop", "", "");
        REQUIRE_FALSE(list.ok());
        CHECK(list.error().code == row.code);
        INFO(list.error().report());
        CHECK(list.error().report().find(row.says) != std::string::npos);
    }
}

TEST_CASE("asking: one who is told when to come again comes again; others are not repeated") {
    Asked asked;
    asked.server.fail("/services", 429, 1, "1");
    CHECK(asked.count({}) == 0);
    CHECK(asked.server.requests("/services") == 2);
    asked.server.fail("/services", 503, 1);
    CHECK_FALSE(asked.asking.list(built_in_resources().at(Kind::service), {}, "", "").ok());
    CHECK(asked.server.requests("/services") == 3);
}

TEST_CASE("asking: a server that does not answer is left after the time that was given") {
    Asked asked(milliseconds(100));
    asked.server.hold("/services");
    const auto list = asked.asking.list(built_in_resources().at(Kind::service), {}, "", "");
    REQUIRE_FALSE(list.ok());
    CHECK(list.error().code == Errc::timeout);
    CHECK(list.error().report().find("error: list services in all namespaces: GET /api/v1/services") == 0);
    CHECK(list.error().report().find("hint: --request-timeout") != std::string::npos);
}

TEST_CASE("asking: a list whose page follows itself is an error") {
    OneAnswer client(R"({"metadata":{"resourceVersion":"7","continue":"more"},"items":[{"metadata":{"name":"a"}}]})");
    const auto found = Asking(client, milliseconds(1'000)).list(built_in_resources().at(Kind::service), {}, "", "");
    REQUIRE_FALSE(found.ok());
    CHECK(found.error().message().find("a page says that it follows itself") != std::string::npos);
}
