// SPDX-License-Identifier: Apache-2.0
#include "ctl/status/node_report.hpp"

#include <algorithm>
#include <set>

#include "ctl/model/value_text.hpp"
#include "tools/test/catch.hpp"
#include "userspace/base/files.hpp"

using namespace penstock;
using namespace penstock::status;
using nlohmann::json;

namespace {

constexpr const char* kCrd = "../../configs/deploy/base/penstocknodes.yaml";

model::Value as_value(const json& object) { return model::from_json(nlohmann::ordered_json(object)); }

json crd() {
    const auto text = read_file(kCrd, 1U << 20);
    REQUIRE(text.ok());
    const auto documents = model::parse_documents(*text);
    REQUIRE(documents.size() == 1);
    REQUIRE(documents[0].faults.empty());
    return json(model::to_json(documents[0].value));
}

// What of `value` the schema does not allow, by path: of the parts of OpenAPI that the CRD uses, and it may use no other.
void check(const json& schema, const json& value, const std::string& path, std::vector<std::string>& faults) {
    static const std::set<std::string> kKnown = {"type", "description", "properties", "required", "items", "maxItems", "maxLength", "minimum", "enum", "format", "x-kubernetes-list-type"};
    for (const auto& [name, rule] : schema.items()) {
        if (!kKnown.contains(name)) {
            faults.push_back(path + ": this test does not know " + name);
        }
    }
    const std::string type = schema["type"];
    if ((type == "object" && !value.is_object()) || (type == "array" && !value.is_array()) || (type == "string" && !value.is_string()) || (type == "integer" && !value.is_number_integer())) {
        faults.push_back(path + ": no " + type);
        return;
    }
    if (schema.contains("enum") && std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end()) {
        faults.push_back(path + ": " + value.dump());
    }
    if ((schema.contains("maxLength") && value.get<std::string>().size() > schema["maxLength"].get<std::size_t>()) ||
        (schema.contains("maxItems") && value.size() > schema["maxItems"].get<std::size_t>()) || (schema.contains("minimum") && value.get<std::int64_t>() < schema["minimum"].get<std::int64_t>())) {
        faults.push_back(path + ": out of bounds");
    }
    for (const json& name : schema.value("required", json::array())) {
        if (!value.contains(name.get<std::string>())) {
            faults.push_back(path + ": lacks " + name.get<std::string>());
        }
    }
    if (type == "array") {
        for (const json& item : value) {
            check(schema["items"], item, path + "[]", faults);
        }
    } else if (type == "object" && schema.contains("properties")) {
        for (const auto& [name, member] : value.items()) {
            if (schema["properties"].contains(name)) {
                check(schema["properties"][name], member, path + "." + name, faults);
            } else {
                faults.push_back(path + ": " + name + " is not in the schema, so the API server would drop it");
            }
        }
    }
}

std::vector<std::string> faults_of(const NodeReport& report) {
    std::vector<std::string> faults;
    check(crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"], node_object("node-a", "uid-of-the-node", report), "", faults);
    return faults;
}

TakenObject refusing(std::size_t count, std::size_t bytes) {
    TakenObject taken{.uid = "u", .generation = 3, .refusals = {}};
    for (std::size_t i = 0; i < count; ++i) {
        taken.refusals.push_back({static_cast<Failure::Kind>(i % 4), i % 2 == 0 ? "" : "listener-" + std::to_string(i), std::string(bytes, 'x')});
    }
    return taken;
}

}  // namespace

TEST_CASE("node report: what is written is what the CRD has room for, in its group, version and scope") {
    const json made = crd();
    const json& version = made["spec"]["versions"][0];
    CHECK(made["spec"]["group"].get<std::string>() + "/" + version["name"].get<std::string>() == kNodeReportVersion);
    CHECK(made["spec"]["names"]["kind"] == kNodeReportKind);
    CHECK("/apis/" + std::string(kNodeReportVersion) + "/" + made["spec"]["names"]["plural"].get<std::string>() == node_reports_path());
    CHECK(made["metadata"]["name"] == "penstocknodes.penstock.dev");
    CHECK(made["spec"]["scope"] == "Cluster");
    CHECK_FALSE(version.contains("subresources"));

    CHECK(faults_of({}).empty());
    CHECK(faults_of(make_report({{"Gateway/shop/edge", refusing(0, 0)}, {"ListenerSet/shop/more", refusing(3, 10)}})).empty());
    CHECK(faults_of(make_report({{"Gateway/shop/edge", refusing(50, 5000)}})).empty());
    std::map<std::string, TakenObject> many;
    for (int i = 0; i < 1500; ++i) {
        many.emplace("Gateway/shop/" + std::string(240, 'n') + std::to_string(i), refusing(9, 5000));
    }
    const NodeReport report = make_report(std::move(many));
    CHECK(report.omitted == 500);
    CHECK(faults_of(report).empty());
    CHECK(node_object("node-a", "", report).dump().size() < 1'200'000);
    for (const auto& [object, taken] : report.objects) {
        CHECK(taken.refusals.size() == 1);
    }
}

TEST_CASE("node report: what was written is read again") {
    const NodeReport report = make_report({{"Gateway/shop/edge", refusing(4, 10)}, {"Gateway/shop/other", refusing(0, 0)}, {"ListenerSet/shop/more", {.uid = "v", .generation = 1, .refusals = {}}}});
    const json object = node_object("node-a", "uid-1", report);
    CHECK(read_report(as_value(object)) == report);
    NodeReport with_addresses = report;
    set_addresses(with_addresses, {*IpAddress::parse("192.0.2.7"), *IpAddress::parse("2001:db8::7")}, {*IpAddress::parse("198.51.100.1")});
    CHECK(read_report(as_value(node_object("node-a", "", with_addresses))) == with_addresses);
    CHECK(faults_of(with_addresses).empty());
    CHECK(with_addresses.here->size() == 2);
    set_addresses(with_addresses, {}, {});
    CHECK(read_report(as_value(node_object("node-a", "", with_addresses))).here == std::set<IpAddress>());  // not: it does not tell
    CHECK(object["status"]["taken"] == 2);
    CHECK(object["status"]["refused"] == 1);
    CHECK(object["metadata"]["ownerReferences"][0] == json{{"apiVersion", "v1"}, {"kind", "Node"}, {"name", "node-a"}, {"uid", "uid-1"}});
    CHECK_FALSE(node_object("node-a", "", report)["metadata"].contains("ownerReferences"));
}

TEST_CASE("node report: whatever stands in an object of somebody else is read within bounds") {
    for (const char* text : {"{}", "[]", "7", R"({"status":{"addresses":{"a":1},"nodeAddresses":7}})", R"({"status":{"addresses":[7,"x",null],"nodeAddresses":["y"]}})", R"({"status":7})", R"({"status":{"objects":{"a":1},"omitted":"x"}})", R"({"status":{"objects":[7,null,[]],"omitted":-5}})"}) {
        const auto value = model::parse_json(text);
        REQUIRE(value.ok());
        const NodeReport report = read_report(*value);
        CHECK(report.objects.size() <= 1);
        CHECK(report.omitted == 0);
    }
    json many = json::array();
    for (int i = 0; i < 5000; ++i) {
        many.push_back("10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256));
    }
    const NodeReport crowd = read_report(as_value({{"status", {{"addresses", many}, {"nodeAddresses", many}}}}));
    CHECK_FALSE(crowd.here.has_value());
    CHECK(crowd.own.size() == NodeReport::kOwnMax);
    json rows = json::array();
    for (int i = 0; i < 1100; ++i) {
        rows.push_back({{"kind", "Gateway"}, {"namespace", "shop"}, {"name", std::to_string(i)}, {"uid", std::string(900, 'u')}, {"generation", "seven"}});
        rows.back()["refused"] = json::array();
        for (int k = 0; k < 10; ++k) {
            rows.back()["refused"].push_back({{"reason", "Newer"}, {"message", std::string(300, 'm')}});
        }
    }
    const NodeReport report = read_report(as_value({{"status", {{"objects", rows}}}}));
    CHECK(report.objects.size() == NodeReport::kObjectsMax);
    for (const auto& [object, taken] : report.objects) {
        CHECK((taken.uid.size() < 300 && taken.generation == 0 && taken.refusals.size() == NodeReport::kRefusalsMax));
        CHECK((taken.refusals[0].message.size() == NodeReport::kMessageMax && taken.refusals[0].kind == Failure::Kind::part));
    }
}

TEST_CASE("node report: a text is cut between characters") {
    CHECK(shortened("abc", 3) == "abc");
    CHECK(shortened("abcd", 3) == "abc");
    CHECK(shortened("ab\xc3\xa4", 3) == "ab");
    CHECK(shortened("\xf0\x9f\x98\x80", 3).empty());
}
