// SPDX-License-Identifier: Apache-2.0
#include "ctl/source/loaded.hpp"

#include <fmt/format.h>

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::source;

namespace {

LoadDocument service(const std::string& name, const std::string& port = "80") {
    return {name + ".yaml", fmt::format("apiVersion: v1\nkind: Service\nmetadata: {{name: {}}}\nspec:\n  ports:\n  - {{name: http, port: {}}}\n", name, port)};
}

std::string text(const LoadResult& result) {
    std::string out;
    for (const ObjectChange& change : result.changes) {
        out += change.key.name + ":" + std::string(name_of(change.what)) + " ";
    }
    return out;
}

}  // namespace

TEST_CASE("loaded: objects are merged by name, or replace all") {
    Loaded loaded;
    CHECK(text(loaded.load({service("b"), service("a")}, false)) == "b:created a:created ");
    CHECK(text(loaded.load({service("a", "81"), service("b"), service("c")}, false)) == "a:configured b:unchanged c:created ");
    CHECK(text(loaded.load({service("b")}, true)) == "b:unchanged a:removed c:removed ");
    CHECK(loaded.given().objects.size() == 1);
    CHECK(loaded.remove({model::Kind::service, "default", "b"}));
    CHECK_FALSE(loaded.remove({model::Kind::service, "default", "b"}));
    CHECK(loaded.given().objects.empty());
}

TEST_CASE("loaded: a load with an error changes nothing") {
    Loaded loaded;
    loaded.load({service("a")}, false);
    REQUIRE(loaded.given().objects.size() == 1);
    const LoadResult bad = loaded.load({service("a", "81"), service("b", "70000")}, true);
    CHECK(bad.refused);
    CHECK(bad.changes.empty());
    REQUIRE(bad.diagnostics.size() == 1);
    CHECK(bad.diagnostics[0].file == "b.yaml");
    CHECK(std::get<model::Service>(loaded.given().objects.begin()->second->body).ports.at(0).port == 80);
    const LoadResult twice = loaded.load({service("a"), {"other.yaml", service("a").text}}, false);
    CHECK(twice.refused);
    CHECK(twice.diagnostics.at(0).message == "is in a.yaml, too");
}

TEST_CASE("loaded: a List and several documents are objects of their own") {
    Loaded loaded;
    const LoadResult result = loaded.load({{"x.yaml",
                                            "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: one}}\n"
                                            "- {apiVersion: v1, kind: Namespace, metadata: {name: two}}\n---\n"
                                            "{\"apiVersion\": \"v1\", \"kind\": \"Namespace\", \"metadata\": {\"name\": \"three\"}}\n"}},
                                          false);
    CHECK(text(result) == "one:created two:created three:created ");
}

TEST_CASE("loaded: the file gives the same back, in the same order, with Secrets") {
    Loaded loaded;
    loaded.load({service("b"),
                 {"s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n"},
                 service("a")},
                false);
    const std::string text = loaded.encode();
    auto again = Loaded::decode(text);
    REQUIRE(again.ok());
    CHECK(again->encode() == text);
    const Given given = again->given();
    REQUIRE(given.objects.size() == 3);
    CHECK(given.state == State::ok);
    CHECK((*given.objects.get(model::ObjectKey{model::Kind::service, "default", "b"}))->origin.file == "b.yaml");
    const model::ObjectPtr secret = *given.objects.get(model::ObjectKey{model::Kind::secret, "default", "s"});
    CHECK(std::get<model::Secret>(secret->body).data.at("password") == "hunter2");
    CHECK((secret->raw.metadata + secret->raw.rest).find("hunter2") == std::string::npos);
}

TEST_CASE("loaded: a damaged file is refused, an object that is not accepted any more is told") {
    for (const char* text : {"", "{}", "[]", R"({"penstock": "loaded 1"})", R"({"penstock": "loaded 1", "objects": [1]})"}) {
        INFO(text);
        CHECK_FALSE(Loaded::decode(text).ok());
    }
    const auto odd = Loaded::decode(R"({"penstock": "loaded 1", "objects": [{"file": "x", "object": {"apiVersion": "v1", "kind": "Service"}}]})");
    REQUIRE(odd.ok());
    CHECK(odd->given().objects.empty());
    CHECK(odd->given().state == State::degraded);
}
