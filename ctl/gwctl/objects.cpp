// SPDX-License-Identifier: Apache-2.0
// get and describe: objects of the daemon with what their conditions come to.
#include <algorithm>
#include <cstdio>
#include <map>

#include "ctl/gwctl/answer.hpp"
#include "ctl/gwctl/client.hpp"
#include "ctl/gwctl/command.hpp"
#include "ctl/gwctl/text_table.hpp"
#include "ctl/model/object.hpp"

namespace penstock::gwctl {

namespace {

using nlohmann::json;

std::string joined(const json& list, const char* member = nullptr) {
    std::string out;
    for (const json& item : list) {
        const json& value = member != nullptr ? at(item, {member}) : item;
        if (value.is_string()) {
            out += (out.empty() ? "" : ",") + printable(value.get<std::string>());
        }
    }
    return out.empty() ? "-" : out;
}

// Calls `visit(where, condition)` for every condition of a status.
template <class Visit>
void each_condition(const json& status, Visit visit) {
    auto visit_list = [&](const std::string& where, const json& list) {
        for (const json& condition : list) {
            visit(where, condition);
        }
    };
    visit_list("", list_at(status, {"conditions"}));
    for (const json& listener : list_at(status, {"listeners"})) {
        visit_list("listener " + text_at(listener, {"name"}), list_at(listener, {"conditions"}));
    }
    for (const char* member : {"parents", "ancestors"}) {
        for (const json& parent : list_at(status, {member})) {
            const json& ref = at(parent, {member == std::string("parents") ? "parentRef" : "ancestorRef"});
            const std::string section = text_at(ref, {"sectionName"});
            visit_list("parent " + text_at(ref, {"name"}) + (section.empty() ? "" : "/" + section), list_at(parent, {"conditions"}));
        }
    }
}

// "True", or the reason of the first that is not; "-" if nobody says.
std::string sum_of(const json& object, const std::string& type, bool listeners) {
    std::string sum = "-";
    each_condition(at(object, {"status"}), [&](const std::string& where, const json& condition) {
        if (text_at(condition, {"type"}) != type || (!listeners && where.starts_with("listener"))) {
            return;
        }
        const bool good = text_at(condition, {"status"}) == "True";
        if (sum == "-" || (sum == "True" && !good)) {
            sum = good ? "True" : text_at(condition, {"reason"});
        }
    });
    return sum;
}

std::uint64_t attached_routes(const json& gateway) {
    std::uint64_t sum = 0;
    for (const json& listener : list_at(gateway, {"status", "listeners"})) {
        sum += count_at(listener, {"attachedRoutes"});
    }
    return sum;
}

std::string or_else(std::string text, const char* absent) { return text.empty() ? absent : text; }

struct Column {
    const char* heading;
    std::string (*value)(const json& object);
};

std::string hostnames_of(const json& object) { return joined(list_at(object, {"spec", "hostnames"})); }
std::string parents_of(const json& object) { return joined(list_at(object, {"spec", "parentRefs"}), "name"); }
std::string accepted_of(const json& object) { return sum_of(object, "Accepted", false); }
std::string resolved_of(const json& object) { return sum_of(object, "ResolvedRefs", true); }
std::string programmed_of(const json& object) { return sum_of(object, "Programmed", false); }

std::vector<Column> columns_of(const std::string& kind) {
    if (kind == "GatewayClass") {
        return {{"CONTROLLER", [](const json& o) { return text_at(o, {"spec", "controllerName"}); }}, {"ACCEPTED", accepted_of}};
    }
    if (kind == "Gateway") {
        return {{"CLASS", [](const json& o) { return text_at(o, {"spec", "gatewayClassName"}); }},
                {"ADDRESSES", [](const json& o) { return joined(list_at(o, {"status", "addresses"}), "value"); }},
                {"PROGRAMMED", programmed_of},
                {"LISTENERS", [](const json& o) { return std::to_string(list_at(o, {"spec", "listeners"}).size()); }},
                {"ROUTES", [](const json& o) { return std::to_string(attached_routes(o)); }}};
    }
    if (kind == "ListenerSet") {
        return {{"PARENT", [](const json& o) { return text_at(o, {"spec", "parentRef", "name"}); }}, {"ACCEPTED", accepted_of}, {"PROGRAMMED", programmed_of}};
    }
    if (kind == "HTTPRoute" || kind == "GRPCRoute" || kind == "TLSRoute") {
        return {{"HOSTNAMES", hostnames_of}, {"PARENTS", parents_of}, {"ACCEPTED", accepted_of}, {"RESOLVED", resolved_of}};
    }
    if (kind == "TCPRoute" || kind == "UDPRoute") {
        return {{"PARENTS", parents_of}, {"ACCEPTED", accepted_of}, {"RESOLVED", resolved_of}};
    }
    if (kind == "Service") {
        return {{"TYPE", [](const json& o) { return or_else(text_at(o, {"spec", "type"}), "ClusterIP"); }},
                {"PORTS", [](const json& o) {
                     std::string out;
                     for (const json& port : list_at(o, {"spec", "ports"})) {
                         out += (out.empty() ? "" : ",") + text_at(port, {"port"}) + "/" + or_else(text_at(port, {"protocol"}), "TCP");
                     }
                     return or_else(out, "-");
                 }}};
    }
    if (kind == "EndpointSlice") {
        return {{"FAMILY", [](const json& o) { return text_at(o, {"addressType"}); }}, {"ENDPOINTS", [](const json& o) {
                    std::string out;
                    for (const json& endpoint : list_at(o, {"endpoints"})) {
                        out += (out.empty() ? "" : ",") + joined(list_at(endpoint, {"addresses"}));
                    }
                    return or_else(out, "-");
                }}};
    }
    return {};
}

std::string query_of(const Arguments& arguments, const std::string& kinds, const std::string& name) {
    std::string path = "/v1/objects?kind=" + kinds;
    if (!arguments.all_namespaces && !arguments.ns.empty()) {
        path += "&namespace=" + url_encoded(arguments.ns);
    }
    return path + (name.empty() ? "" : "&name=" + url_encoded(name));
}

// Objects of the kinds in the arguments; cluster-wide kinds whatever the namespace.
Result<json> objects_of(const Arguments& arguments, const std::string& name) {
    const Client client(arguments.state_dir);
    json items = json::array();
    std::string words = arguments.words[0] + ",";
    for (std::size_t at_comma = words.find(','); at_comma != std::string::npos; words.erase(0, at_comma + 1), at_comma = words.find(',')) {
        const model::Kind kind = *model::kind_of_word(words.substr(0, at_comma));
        Arguments scope = arguments;
        scope.all_namespaces |= !model::info(kind).namespaced;
        PST_TRY_ASSIGN(const json answer, client.read(query_of(scope, std::string(model::kind_name(kind)), name)));
        const json& found = list_at(answer, {"items"});
        items.insert(items.end(), found.begin(), found.end());
    }
    return items;
}

void print_objects(const json& items, bool with_namespace) {
    std::vector<std::string> order;
    std::map<std::string, std::vector<const json*>> by_kind;
    for (const json& object : items) {
        auto& list = by_kind[text_at(object, {"kind"})];
        if (list.empty()) {
            order.push_back(text_at(object, {"kind"}));
        }
        list.push_back(&object);
    }
    bool first = true;
    for (const std::string& kind : order) {
        std::vector<std::string> heading;
        if (with_namespace) {
            heading.emplace_back("NAMESPACE");
        }
        heading.push_back(order.size() > 1 ? "NAME (" + kind + ")" : "NAME");
        const auto columns = columns_of(kind);
        std::transform(columns.begin(), columns.end(), std::back_inserter(heading), [](const Column& column) { return column.heading; });
        heading.emplace_back("AGE");
        TextTable table(heading);
        for (const json* object : by_kind[kind]) {
            std::vector<std::string> row;
            if (with_namespace) {
                row.push_back(text_at(*object, {"metadata", "namespace"}));
            }
            row.push_back(text_at(*object, {"metadata", "name"}));
            std::transform(columns.begin(), columns.end(), std::back_inserter(row), [&](const Column& column) { return column.value(*object); });
            row.push_back(age_of(text_at(*object, {"metadata", "creationTimestamp"})));
            table.add(std::move(row));
        }
        std::printf("%s%s", first ? "" : "\n", table.text().c_str());
        first = false;
    }
}

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

void print_described(const json& object, const json& all) {
    const std::string ns = text_at(object, {"metadata", "namespace"});
    const std::string created = text_at(object, {"metadata", "creationTimestamp"});
    std::printf("%s %s%s%s\n  from        %s\n  generation  %s\n  created     %s (%s ago)\n", text_at(object, {"kind"}).c_str(), ns.c_str(), ns.empty() ? "" : "/",
                text_at(object, {"metadata", "name"}).c_str(), text_at(object, {"metadata", "annotations", "penstock.dev/source"}).c_str(),
                text_at(object, {"metadata", "generation"}).c_str(), created.c_str(), age_of(created).c_str());
    print_conditions(object);
    print_referrers(all, object);
    // What the object says: spec, or the fields of the kinds that have none.
    for (const auto& [name, value] : object.items()) {
        if (name != "apiVersion" && name != "kind" && name != "metadata" && name != "status") {
            std::printf("\n%s\n", name.c_str());
            print_document(value, "yaml");
        }
    }
}

}  // namespace

Result<int> run_get(const Arguments& arguments) {
    const std::string name = arguments.words.size() > 1 ? arguments.words[1] : "";
    PST_TRY_ASSIGN(const json items, objects_of(arguments, name));
    if (!arguments.output.empty()) {
        print_document(name.empty() || items.size() != 1 ? json({{"apiVersion", "v1"}, {"kind", "List"}, {"items", items}}) : items[0], arguments.output);
    } else {
        print_objects(items, arguments.all_namespaces);
    }
    if (items.empty()) {
        std::fprintf(stderr, "nothing found%s\n", arguments.all_namespaces ? "" : (" in the namespace " + arguments.ns + " (-A looks into all)").c_str());
    }
    return items.empty() ? kNo : kYes;
}

Result<int> run_describe(const Arguments& arguments) {
    PST_TRY_ASSIGN(const json items, objects_of(arguments, arguments.words[1]));
    if (items.empty()) {
        const Error none{.code = Errc::not_found, .what = "there is no " + arguments.words[0] + " " + arguments.words[1] + (arguments.all_namespaces ? "" : " in the namespace " + arguments.ns),
                         .hint = "-n names another, -A looks into all"};
        std::fprintf(stderr, "%s\n", none.report().c_str());
        return kNo;
    }
    if (!arguments.output.empty()) {
        print_document(items.size() == 1 ? items[0] : json({{"apiVersion", "v1"}, {"kind", "List"}, {"items", items}}), arguments.output);
        return kYes;
    }
    PST_TRY_ASSIGN(const json all, Client(arguments.state_dir).read("/v1/objects"));
    for (const json& object : items) {
        std::printf("%s", &object == &items[0] ? "" : "\n");
        print_described(object, list_at(all, {"items"}));
    }
    return kYes;
}

}  // namespace penstock::gwctl
