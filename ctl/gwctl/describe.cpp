// SPDX-License-Identifier: Apache-2.0
// describe: one object with every condition, what refers to it, what happened to it, and what it says.
#include <algorithm>
#include <cstdio>
#include <map>

#include "ctl/gwctl/answer.hpp"
#include "ctl/gwctl/object_view.hpp"
#include "ctl/gwctl/objects.hpp"
#include "ctl/gwctl/text_table.hpp"

namespace penstock::gwctl {

namespace {

using nlohmann::json;

// The object that a reference may name.
struct Name {
    std::string kind;
    std::string ns;  // "" for cluster-wide kinds
    std::string name;
};

// What a reference without a kind means depends on where it stands.
std::string kind_meant(const json& reference, const std::string& context) {
    static const std::map<std::string, std::string> absent = {
        {"parentRefs", "Gateway"},     {"parentRef", "Gateway"},             {"backendRefs", "Service"},      {"backendRef", "Service"},
        {"certificateRefs", "Secret"}, {"clientCertificateRef", "Secret"}, {"caCertificateRefs", "ConfigMap"}, {"targetRefs", "Service"}};
    const auto found = absent.find(context);
    return found == absent.end() ? "" : or_else(text_at(reference, {"kind"}), found->second.c_str());
}

// Whether some reference within `node`, of an object in `ns`, names the object.
bool refers(const json& node, const std::string& context, const std::string& ns, const Name& target) {
    if (node.is_array()) {
        return std::any_of(node.begin(), node.end(), [&](const json& item) { return refers(item, context, ns, target); });
    }
    if (!node.is_object()) {
        return false;
    }
    if (kind_meant(node, context) == target.kind && text_at(node, {"name"}) == target.name &&
        (target.ns.empty() || or_else(text_at(node, {"namespace"}), ns.c_str()) == target.ns)) {
        return true;
    }
    for (const auto& [member, value] : node.items()) {
        if ((member == "gatewayClassName" && target.kind == "GatewayClass" && value == target.name) || refers(value, member, ns, target)) {
            return true;
        }
    }
    return false;
}

void print_conditions(const json& object) {
    TextTable table({"WHERE", "CONDITION", "STATUS", "REASON", "MESSAGE"});
    each_condition(at(object, {"status"}), [&](const std::string& where, const json& condition) {
        table.add({or_else(where, "-"), text_at(condition, {"type"}), text_at(condition, {"status"}), text_at(condition, {"reason"}), text_at(condition, {"message"})});
    });
    if (!table.empty()) {
        std::printf("\n%s", table.text().c_str());
    }
}

void print_referrers(const json& all, const json& object) {
    const Name target = {text_at(object, {"kind"}), text_at(object, {"metadata", "namespace"}), text_at(object, {"metadata", "name"})};
    TextTable table({"REFERRED TO BY", "NAMESPACE", "NAME"});
    for (const json& other : all) {
        const std::string ns = text_at(other, {"metadata", "namespace"});
        if (refers(at(other, {"spec"}), "spec", ns, target)) {
            table.add({text_at(other, {"kind"}), or_else(ns, "-"), text_at(other, {"metadata", "name"})});
        }
    }
    if (!table.empty()) {
        std::printf("\n%s", table.text().c_str());
    }
}

void print_events(const json& events) {
    TextTable table({"EVENT", "REASON", "AGE", "FROM", "MESSAGE"});
    for (const json& one : events) {
        const std::string last = text_at(one, {"lastTimestamp"});
        table.add({text_at(one, {"type"}), text_at(one, {"reason"}), age_of(last.empty() ? text_at(one, {"metadata", "creationTimestamp"}) : last),
                   or_else(text_at(one, {"source", "component"}), text_at(one, {"reportingComponent"}).c_str()), text_at(one, {"message"})});
    }
    if (!table.empty()) {
        std::printf("\n%s", table.text().c_str());
    }
}

// `from`: where it is from if it does not say so itself.
void print_described(const json& object, const json& all, const json& events, const std::string& from) {
    const std::string created = text_at(object, {"metadata", "creationTimestamp"});
    std::printf("%s\n  from        %s\n  generation  %s\n  created     %s\n", title_of(object).c_str(),
                or_else(text_at(object, {"metadata", "annotations", "penstock.dev/source"}), from.c_str()).c_str(), or_else(text_at(object, {"metadata", "generation"}), "-").c_str(),
                created.empty() ? "-" : (created + " (" + age_of(created) + " ago)").c_str());
    print_conditions(object);
    print_referrers(all, object);
    print_events(events);
    // What the object says: spec, or the fields of the kinds that have none.
    for (const auto& [name, value] : object.items()) {
        if (name != "apiVersion" && name != "kind" && name != "metadata" && name != "status") {
            std::printf("\n%s\n", name.c_str());
            print_document(value, "yaml");
        }
    }
}

// All that may name others. A kind that the place does not have, or that this user may not list, names none.
json referrers_in(Place& place) {
    json all = json::array();
    for (const model::Kind kind : {model::Kind::gateway_class, model::Kind::gateway, model::Kind::listener_set, model::Kind::http_route, model::Kind::grpc_route, model::Kind::tls_route,
                                   model::Kind::tcp_route, model::Kind::udp_route, model::Kind::backend_tls_policy}) {
        auto found = place.objects({.kind = kind, .ns = {}, .name = "", .selector = ""});
        if (found.ok()) {
            all.insert(all.end(), found->begin(), found->end());
        } else if (found.error().code != Errc::unsupported) {
            std::fprintf(stderr, "%s\n", found.error().report().c_str());
        }
    }
    return all;
}

}  // namespace

Result<int> run_describe(const Arguments& arguments) {
    PST_TRY_ASSIGN(const auto place, open_place(arguments));
    PST_TRY_ASSIGN(const Found found, find_objects(arguments, *place));
    const json& items = found.items;
    tell_absent(found, in_namespace(arguments, *place));
    const int code = found.absent.empty() ? kYes : kNo;
    if (items.empty()) {
        return kNo;
    }
    if (!arguments.output.empty()) {
        print_document(items.size() == 1 ? items[0] : json({{"apiVersion", "v1"}, {"kind", "List"}, {"items", items}}), arguments.output);
        return code;
    }
    const json all = referrers_in(*place);
    for (const json& object : items) {
        std::printf("%s", &object == &items[0] ? "" : "\n");
        const auto events = place->events(object);  // who may not list them sees none
        print_described(object, all, events.ok() ? *events : json::array(), place->text());
    }
    return code;
}

}  // namespace penstock::gwctl
