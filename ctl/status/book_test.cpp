// SPDX-License-Identifier: Apache-2.0
#include "ctl/status/book.hpp"

#include "ctl/status/conditions_json.hpp"
#include "tools/test/catch.hpp"

using namespace penstock::status;
using nlohmann::json;

namespace {

json condition(const char* type, const char* status, const char* reason = "x", std::int64_t generation = 1) {
    return {{"type", type}, {"status", status}, {"reason", reason}, {"message", ""}, {"observedGeneration", generation}};
}

json listener(const char* name) {
    return {{"name", name}, {"attachedRoutes", 1}, {"conditions", {condition("Accepted", "True"), condition("Programmed", "True")}}};
}

json gateway(std::int64_t generation = 1) {
    return {{"conditions", {condition("Accepted", "True", "Accepted", generation), condition("Programmed", "True", "Programmed", generation)}},
            {"listeners", {listener("http"), listener("https")}}};
}

json route() {
    return {{"parents",
             {{{"parentRef", {{"name", "edge"}}},
               {"controllerName", "c"},
               {"conditions", {condition("Accepted", "True"), condition("ResolvedRefs", "True")}}}}}};
}

Wanted want(const char* object, json status, std::int64_t generation = 1) {
    return {object, generation, [status = std::move(status)] { return status; }};
}

// "type=status/reason" of one list of conditions.
std::string text(const json& conditions) {
    std::string out;
    for (const json& one : conditions) {
        out += one["type"].get<std::string>() + "=" + one["status"].get<std::string>() + "/" + one["reason"].get<std::string>() + " ";
    }
    return out;
}

json status_of(const Book& book, const char* object) { return json::parse(**book.published().get(object)); }

}  // namespace

TEST_CASE("status: Programmed is told when the generation is taken, not before") {
    Book book;
    book.want({want("Gateway/a/edge", gateway())});
    CHECK(book.update(Phase::waiting, {}, 10));
    CHECK(text(status_of(book, "Gateway/a/edge")["conditions"]) == "Accepted=True/Accepted Programmed=False/Pending ");
    CHECK(text(status_of(book, "Gateway/a/edge")["listeners"][0]["conditions"]) == "Accepted=True/x Programmed=False/Pending ");
    CHECK(book.not_good() == 3);
    CHECK(book.update(Phase::taken, {}, 20));
    CHECK(text(status_of(book, "Gateway/a/edge")["conditions"]) == "Accepted=True/Accepted Programmed=True/Programmed ");
    CHECK(book.not_good() == 0);
    CHECK_FALSE(book.update(Phase::taken, {}, 30));
}

TEST_CASE("status: an edited object keeps its old status until the new one is served or is known not to come") {
    Book book;
    book.want({want("Gateway/a/edge", gateway(1))});
    book.update(Phase::taken, {}, 10);
    book.want({want("Gateway/a/edge", gateway(2), 2)});
    CHECK_FALSE(book.update(Phase::waiting, {}, 20));
    CHECK(status_of(book, "Gateway/a/edge")["conditions"][0]["observedGeneration"] == 1);
    CHECK(book.update(Phase::stuck, {}, 30));
    CHECK(text(status_of(book, "Gateway/a/edge")["conditions"]) == "Accepted=True/Accepted Programmed=False/Pending ");
    CHECK(status_of(book, "Gateway/a/edge")["conditions"][0]["observedGeneration"] == 2);
    CHECK(book.update(Phase::taken, {}, 40));
    CHECK(text(status_of(book, "Gateway/a/edge")["conditions"]) == "Accepted=True/Accepted Programmed=True/Programmed ");
}

TEST_CASE("status: lastTransitionTime moves with the status only, not with reason, message or generation") {
    Book book;
    book.want({want("Gateway/a/edge", gateway(1))});
    book.update(Phase::waiting, {}, 10);
    book.update(Phase::taken, {}, 20);
    book.want({want("Gateway/a/edge", gateway(2), 2)});
    book.update(Phase::taken, {}, 30);
    const json conditions = status_of(book, "Gateway/a/edge")["conditions"];
    CHECK(conditions[0]["lastTransitionTime"] == "1970-01-01T00:00:10Z");
    CHECK(conditions[1]["lastTransitionTime"] == "1970-01-01T00:00:20Z");
    CHECK(conditions[1]["observedGeneration"] == 2);
    CHECK(status_of(book, "Gateway/a/edge")["listeners"][1]["conditions"][1]["lastTransitionTime"] == "1970-01-01T00:00:20Z");
}

TEST_CASE("status: times outlive a restart") {
    Book book;
    book.want({want("HTTPRoute/a/r", route())});
    book.update(Phase::taken, {}, 10);
    Book again;
    REQUIRE(again.restore(Book::encode(book.published())).ok());
    again.want({want("HTTPRoute/a/r", route())});
    CHECK_FALSE(again.update(Phase::taken, {}, 99));
    CHECK(status_of(again, "HTTPRoute/a/r")["parents"][0]["conditions"][0]["lastTransitionTime"] == "1970-01-01T00:00:10Z");
    CHECK_FALSE(again.restore("not json").ok());
}

TEST_CASE("status: what the data path refuses is told by the object that owns it and by no other") {
    using Kind = Failure::Kind;
    struct Row {
        const char* name;
        Failure failure;
        const char* where;  // JSON pointer to a list of conditions
        const char* want;
    };
    const Row rows[] = {
        {"a socket of one listener", {Kind::socket, "Gateway/a/edge", "http", "in use"}, "/Gateway~1a~1edge/listeners/0/conditions",
         "Accepted=False/PortUnavailable Programmed=False/Invalid "},
        {"its neighbour serves on", {Kind::socket, "Gateway/a/edge", "http", "in use"}, "/Gateway~1a~1edge/listeners/1/conditions",
         "Accepted=True/x Programmed=True/x "},
        {"and so does the Gateway", {Kind::socket, "Gateway/a/edge", "http", "in use"}, "/Gateway~1a~1edge/conditions",
         "Accepted=True/Accepted Programmed=True/Programmed "},
        {"an address", {Kind::address, "Gateway/a/edge", "", "no such device"}, "/Gateway~1a~1edge/conditions",
         "Accepted=True/Accepted Programmed=False/AddressNotUsable "},
        {"a full map", {Kind::map, "Gateway/a/edge", "", "full"}, "/Gateway~1a~1edge/conditions",
         "Accepted=True/Accepted Programmed=False/NoResources "},
        {"a part of a listener", {Kind::part, "Gateway/a/edge", "https", "bad"}, "/Gateway~1a~1edge/listeners/1/conditions",
         "Accepted=True/x Programmed=False/Invalid "},
        {"a part of a route", {Kind::part, "HTTPRoute/a/r", "", "bad"}, "/HTTPRoute~1a~1r/parents/0/conditions",
         "Accepted=True/x ResolvedRefs=True/x penstock.dev/Programmed=False/DataPathRefused "},
        {"an object without status", {Kind::part, "Secret/a/s", "", "bad"}, "/HTTPRoute~1a~1r/parents/0/conditions",
         "Accepted=True/x ResolvedRefs=True/x "},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Book book;
        book.want({want("Gateway/a/edge", gateway()), want("HTTPRoute/a/r", route())});
        book.update(Phase::taken, {row.failure}, 10);
        const json all = json::parse(Book::encode(book.published()));
        CHECK(text(all[json::json_pointer(row.where)]) == row.want);
        book.update(Phase::taken, {}, 20);  // mended
        CHECK(text(status_of(book, "Gateway/a/edge")["conditions"]) == "Accepted=True/Accepted Programmed=True/Programmed ");
        CHECK(text(status_of(book, "HTTPRoute/a/r")["parents"][0]["conditions"]) == "Accepted=True/x ResolvedRefs=True/x ");
    }
}

TEST_CASE("status: a Gateway whose last listener fails is not programmed") {
    Book book;
    book.want({want("Gateway/a/edge", gateway())});
    book.update(Phase::taken, {{Failure::Kind::socket, "Gateway/a/edge", "http", "in use"}, {Failure::Kind::socket, "Gateway/a/edge", "https", "in use"}}, 10);
    CHECK(text(status_of(book, "Gateway/a/edge")["conditions"]) == "Accepted=True/Accepted Programmed=False/Invalid ");
}

TEST_CASE("status: objects that are gone lose their status") {
    Book book;
    book.want({want("Gateway/a/edge", gateway()), want("HTTPRoute/a/r", route())});
    book.update(Phase::taken, {}, 10);
    book.want({}, {"Gateway/a/edge"});
    CHECK(book.update(Phase::waiting, {}, 20));
    CHECK(book.published().size() == 1);
    Book again;
    REQUIRE(again.restore(Book::encode(book.published())).ok());
    again.want({want("Gateway/a/edge", gateway())});
    again.update(Phase::taken, {}, 30);
    CHECK(again.published().size() == 1);
    CHECK(again.published().contains("Gateway/a/edge"));
}

TEST_CASE("status: what was kept may be junk") {
    for (const char* text : {R"({"Gateway/a/edge": {"conditions": [{"type": 1, "status": {}}, 7, null], "listeners": [3, {"conditions": "none"}]}})", R"({"Gateway/a/edge": 5})",
                             R"({"Gateway/a/edge": {"conditions": {"type": "Accepted"}, "parents": {"a": {"conditions": [[]]}}}})"}) {
        INFO(text);
        Book book;
        REQUIRE(book.restore(text).ok());
        CHECK(book.not_good() <= 1);
        book.want({want("Gateway/a/edge", gateway())});
        CHECK(book.update(Phase::taken, {}, 10));
        CHECK(book.not_good() == 0);
    }
}

TEST_CASE("status: conditions are found with their place and judged by their type") {
    std::string seen;
    const auto visit = [&](const std::string& where, const json& conditions) { seen += where + ":" + std::to_string(conditions.size()) + " "; };
    for_each_conditions(gateway(), "a", visit);
    for_each_conditions(route(), "a", visit);
    CHECK(seen == ":2 listener http:2 listener https:2 parent Gateway/a/edge:2 ");
    CHECK(is_good(condition("Accepted", "True")));
    CHECK_FALSE(is_good(condition("Programmed", "Unknown")));
    CHECK_FALSE(is_good(condition("Conflicted", "True")));
    CHECK(is_good(condition("PartiallyInvalid", "False")));
}
