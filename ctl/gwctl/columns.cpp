// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/columns.hpp"

#include <algorithm>

#include "ctl/gwctl/answer.hpp"
#include "ctl/gwctl/object_view.hpp"

namespace penstock::gwctl {

namespace {

using nlohmann::json;

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

std::string hostnames_of(const json& object) { return joined(list_at(object, {"spec", "hostnames"})); }
std::string parents_of(const json& object) { return joined(list_at(object, {"spec", "parentRefs"}), "name"); }
std::string accepted_of(const json& object) { return sum_of(object, "Accepted", false); }
std::string resolved_of(const json& object) { return sum_of(object, "ResolvedRefs", true); }
std::string programmed_of(const json& object) { return sum_of(object, "Programmed", false); }

// "80/HTTP,443/HTTPS" of a Gateway or ListenerSet
std::string ports_of(const json& object) {
    std::string out;
    for (const json& listener : list_at(object, {"spec", "listeners"})) {
        out += (out.empty() ? "" : ",") + text_at(listener, {"port"}) + "/" + text_at(listener, {"protocol"});
    }
    return or_else(out, "-");
}

// "cart:80,shop/web:8080" of a route
std::string backends_of(const json& object) {
    std::string out;
    for (const json& rule : list_at(object, {"spec", "rules"})) {
        for (const json& ref : list_at(rule, {"backendRefs"})) {
            const std::string ns = text_at(ref, {"namespace"});
            const std::string port = text_at(ref, {"port"});
            out += (out.empty() ? "" : ",") + (ns.empty() ? "" : ns + "/") + text_at(ref, {"name"}) + (port.empty() ? "" : ":" + port);
        }
    }
    return or_else(out, "-");
}

std::vector<Column> all_columns_of(const std::string& kind) {
    if (kind == "GatewayClass") {
        return {{"CONTROLLER", [](const json& o) { return text_at(o, {"spec", "controllerName"}); }}, {"ACCEPTED", accepted_of},
                {"DESCRIPTION", [](const json& o) { return or_else(text_at(o, {"spec", "description"}), "-"); }, true}};
    }
    if (kind == "Gateway") {
        return {{"CLASS", [](const json& o) { return text_at(o, {"spec", "gatewayClassName"}); }},
                {"ADDRESSES", [](const json& o) { return joined(list_at(o, {"status", "addresses"}), "value"); }},
                {"PROGRAMMED", programmed_of},
                {"LISTENERS", [](const json& o) { return std::to_string(list_at(o, {"spec", "listeners"}).size()); }},
                {"ROUTES", [](const json& o) { return std::to_string(attached_routes(o)); }},
                {"PORTS", ports_of, true},
                {"HOSTNAMES", [](const json& o) { return joined(list_at(o, {"spec", "listeners"}), "hostname"); }, true}};
    }
    if (kind == "ListenerSet" || kind == "XListenerSet") {
        return {{"PARENT", [](const json& o) { return text_at(o, {"spec", "parentRef", "name"}); }}, {"ACCEPTED", accepted_of}, {"PROGRAMMED", programmed_of}, {"PORTS", ports_of, true}};
    }
    if (kind == "HTTPRoute" || kind == "GRPCRoute" || kind == "TLSRoute") {
        return {{"HOSTNAMES", hostnames_of}, {"PARENTS", parents_of}, {"ACCEPTED", accepted_of}, {"RESOLVED", resolved_of}, {"BACKENDS", backends_of, true}};
    }
    if (kind == "TCPRoute" || kind == "UDPRoute") {
        return {{"PARENTS", parents_of}, {"ACCEPTED", accepted_of}, {"RESOLVED", resolved_of}, {"BACKENDS", backends_of, true}};
    }
    if (kind == "Service") {
        return {{"TYPE", [](const json& o) { return or_else(text_at(o, {"spec", "type"}), "ClusterIP"); }},
                {"PORTS", [](const json& o) {
                     std::string out;
                     for (const json& port : list_at(o, {"spec", "ports"})) {
                         out += (out.empty() ? "" : ",") + text_at(port, {"port"}) + "/" + or_else(text_at(port, {"protocol"}), "TCP");
                     }
                     return or_else(out, "-");
                 }},
                {"CLUSTER-IP", [](const json& o) { return or_else(text_at(o, {"spec", "clusterIP"}), "-"); }, true},
                {"EXTERNAL-IPS", [](const json& o) { return joined(list_at(o, {"spec", "externalIPs"})); }, true}};
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

}  // namespace

std::vector<Column> columns_of(const std::string& kind, bool wide) {
    std::vector<Column> columns = all_columns_of(kind);
    if (!wide) {
        columns.erase(std::remove_if(columns.begin(), columns.end(), [](const Column& column) { return column.wide; }), columns.end());
    }
    return columns;
}

}  // namespace penstock::gwctl
