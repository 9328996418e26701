// SPDX-License-Identifier: Apache-2.0
// get and describe: objects of the daemon with what their conditions come to.
#include <algorithm>
#include <cstdio>
#include <map>

#include "ctl/gwctl/command.hpp"
#include "ctl/gwctl/text_table.hpp"
#include "ctl/model/object.hpp"

namespace penstock::gwctl {

namespace {

using nlohmann::json;

const json kNothing = json::object();

const json& at(const json& object, std::initializer_list<const char*> path) {
    const json* here = &object;
    for (const char* name : path) {
        if (!here->is_object() || !here->contains(name)) {
            return kNothing;
        }
        here = &(*here)[name];
    }
    return *here;
}

std::string text_at(const json& object, std::initializer_list<const char*> path) {
    const json& found = at(object, path);
    return found.is_string() ? found.get<std::string>() : found.is_number() ? found.dump() : "";
}

std::string joined(const json& list, const char* member = nullptr) {
    std::string out;
    for (const json& item : list) {
        const json& value = member != nullptr ? at(item, {member}) : item;
        if (value.is_string()) {
            out += (out.empty() ? "" : ",") + value.get<std::string>();
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
    visit_list("", at(status, {"conditions"}));
    for (const json& listener : at(status, {"listeners"})) {
        visit_list("listener " + text_at(listener, {"name"}), at(listener, {"conditions"}));
    }
    for (const char* member : {"parents", "ancestors"}) {
        for (const json& parent : at(status, {member})) {
            const json& ref = at(parent, {member == std::string("parents") ? "parentRef" : "ancestorRef"});
            const std::string section = text_at(ref, {"sectionName"});
            visit_list("parent " + text_at(ref, {"name"}) + (section.empty() ? "" : "/" + section), at(parent, {"conditions"}));
        }
    }
}

// "True", or the reason of the first that is not; "-" if nobody says.
std::string sum_of(const json& object, const std::string& type, bool listeners) {
    std::string sum = "-";
    each_condition(at(object, {"status"}), [&](const std::string& where, const json& condition) {
        if (condition.value("type", "") != type || (!listeners && where.starts_with("listener"))) {
            return;
        }
        const bool good = condition.value("status", "") == "True";
        if (sum == "-" || (sum == "True" && !good)) {
            sum = good ? "True" : condition.value("reason", "False");
        }
    });
    return sum;
}

int attached_routes(const json& gateway) {
    int sum = 0;
    for (const json& listener : at(gateway, {"status", "listeners"})) {
        sum += listener.value("attachedRoutes", 0);
    }
    return sum;
}

struct Column {
    const char* heading;
    std::string (*value)(const json& object);
};

std::string hostnames_of(const json& object) { return joined(at(object, {"spec", "hostnames"})); }
std::string parents_of(const json& object) { return joined(at(object, {"spec", "parentRefs"}), "name"); }
std::string accepted_of(const json& object) { return sum_of(object, "Accepted", false); }
std::string resolved_of(const json& object) { return sum_of(object, "ResolvedRefs", true); }
std::string programmed_of(const json& object) { return sum_of(object, "Programmed", false); }

std::vector<Column> columns_of(const std::string& kind) {
    if (kind == "GatewayClass") {
        return {{"CONTROLLER", [](const json& o) { return text_at(o, {"spec", "controllerName"}); }}, {"ACCEPTED", accepted_of}};
    }
    if (kind == "Gateway") {
        return {{"CLASS", [](const json& o) { return text_at(o, {"spec", "gatewayClassName"}); }},
                {"ADDRESSES", [](const json& o) { return joined(at(o, {"status", "addresses"}), "value"); }},
                {"PROGRAMMED", programmed_of},
                {"LISTENERS", [](const json& o) { return std::to_string(at(o, {"spec", "listeners"}).size()); }},
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
        return {{"TYPE", [](const json& o) { return o["spec"].value("type", "ClusterIP"); }},
                {"PORTS", [](const json& o) {
                     std::string out;
                     for (const json& port : at(o, {"spec", "ports"})) {
                         out += (out.empty() ? "" : ",") + std::to_string(port.value("port", 0)) + "/" + port.value("protocol", "TCP");
                     }
                     return out;
                 }}};
    }
    if (kind == "EndpointSlice") {
        return {{"FAMILY", [](const json& o) { return o.value("addressType", ""); }}, {"ENDPOINTS", [](const json& o) {
                    std::string out;
                    for (const json& endpoint : at(o, {"endpoints"})) {
                        out += (out.empty() ? "" : ",") + joined(at(endpoint, {"addresses"}));
                    }
                    return out.empty() ? "-" : out;
                }}};
    }
    return {};
}

std::string query_of(const Arguments& arguments, const std::string& kinds, const std::string& name) {
    std::string path = "/v1/objects?kind=" + kinds;
    if (!arguments.all_namespaces && !arguments.ns.empty()) {
        path += "&namespace=" + arguments.ns;
    }
    return path + (name.empty() ? "" : "&name=" + name);
}

// Objects of the kinds in the arguments; cluster-wide kinds whatever the namespace.
Result<json> objects_of(const Arguments& arguments, const std::string& name) {
    const Client client(arguments.state_dir);
    json items = json::array();
    std::string words = arguments.words[0] + ",";
    for (std::size_t at_comma = words.find(','); at_comma != std::string::npos; words.erase(0, at_comma + 1), at_comma = words.find(',')) {
        const std::string word = words.substr(0, at_comma);
        const auto kind = model::kind_of_word(word);
        if (!kind) {
            return Error{.code = Errc::invalid, .what = "there is no kind \"" + word + "\"", .hint = "gateways, httproutes, tlsroutes, services, ..."};
        }
        Arguments scope = arguments;
        scope.all_namespaces |= !model::info(*kind).namespaced;
        PST_TRY_ASSIGN(const json list, client.read(query_of(scope, std::string(model::kind_name(*kind)), name)));
        items.insert(items.end(), list["items"].begin(), list["items"].end());
    }
    return items;
}

void print_objects(const json& items, bool with_namespace) {
    std::vector<std::string> order;
    std::map<std::string, std::vector<const json*>> by_kind;
    for (const json& object : items) {
        auto& list = by_kind[object["kind"]];
        if (list.empty()) {
            order.push_back(object["kind"]);
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

// Whether some reference within `node` names the object. What a reference without a kind means depends on where it stands.
bool refers(const json& node, const std::string& context, const std::string& kind, const std::string& name) {
    if (node.is_array()) {
        return std::any_of(node.begin(), node.end(), [&](const json& item) { return refers(item, context, kind, name); });
    }
    if (!node.is_object()) {
        return false;
    }
    const std::map<std::string, std::string> defaults = {{"parentRefs", "Gateway"}, {"parentRef", "Gateway"}, {"backendRefs", "Service"}, {"backendRef", "Service"},
                                                         {"certificateRefs", "Secret"}, {"clientCertificateRef", "Secret"}, {"caCertificateRefs", "ConfigMap"}, {"targetRefs", "Service"}};
    if (const auto fallback = defaults.find(context); fallback != defaults.end() && node.value("name", "") == name && node.value("kind", fallback->second) == kind) {
        return true;
    }
    for (const auto& [member, value] : node.items()) {
        if ((member == "gatewayClassName" && kind == "GatewayClass" && value == name) || refers(value, member, kind, name)) {
            return true;
        }
    }
    return false;
}

void print_conditions(const json& object) {
    TextTable table({"WHERE", "CONDITION", "STATUS", "REASON", "MESSAGE"});
    each_condition(at(object, {"status"}), [&](const std::string& where, const json& condition) {
        table.add({where.empty() ? "-" : where, condition.value("type", ""), condition.value("status", ""), condition.value("reason", ""), condition.value("message", "")});
    });
    if (!table.empty()) {
        std::printf("\n%s", table.text().c_str());
    }
}

void print_referrers(const Client& client, const json& object) {
    auto all = client.read("/v1/objects");
    if (!all.ok()) {
        return;
    }
    TextTable table({"REFERRED TO BY", "NAMESPACE", "NAME"});
    for (const json& other : (*all)["items"]) {
        if (refers(at(other, {"spec"}), "spec", object["kind"], text_at(object, {"metadata", "name"}))) {
            table.add({other["kind"], text_at(other, {"metadata", "namespace"}), text_at(other, {"metadata", "name"})});
        }
    }
    if (!table.empty()) {
        std::printf("\n%s", table.text().c_str());
    }
}

}  // namespace

Result<int> run_get(const Arguments& arguments) {
    if (arguments.words.empty() || arguments.words.size() > 2) {
        return Error{.code = Errc::invalid, .what = "get takes KIND[,KIND...] and at most one NAME", .hint = "gwctl get gateways -A"};
    }
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
    if (arguments.words.size() != 2) {
        return Error{.code = Errc::invalid, .what = "describe takes KIND NAME", .hint = "gwctl describe httproute shop"};
    }
    PST_TRY_ASSIGN(const json items, objects_of(arguments, arguments.words[1]));
    if (items.empty()) {
        return Error{.code = Errc::not_found, .what = "there is no " + arguments.words[0] + " " + arguments.words[1] + " in the namespace " + arguments.ns, .hint = "-n names another, -A looks into all"};
    }
    if (!arguments.output.empty()) {
        print_document(items[0], arguments.output);
        return kYes;
    }
    for (const json& object : items) {
        const std::string ns = text_at(object, {"metadata", "namespace"});
        std::printf("%s %s%s%s\n  from        %s\n  generation  %s\n  created     %s (%s ago)\n", object["kind"].get<std::string>().c_str(), ns.c_str(), ns.empty() ? "" : "/",
                    text_at(object, {"metadata", "name"}).c_str(), text_at(object, {"metadata", "annotations", "penstock.dev/source"}).c_str(),
                    text_at(object, {"metadata", "generation"}).c_str(), text_at(object, {"metadata", "creationTimestamp"}).c_str(),
                    age_of(text_at(object, {"metadata", "creationTimestamp"})).c_str());
        print_conditions(object);
        print_referrers(Client(arguments.state_dir), object);
        if (object.contains("spec")) {
            std::printf("\nspec\n");
            print_document(object["spec"], "yaml");
        }
    }
    return kYes;
}

}  // namespace penstock::gwctl
