// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>
#include <string>

#include "ctl/compile/status.hpp"

namespace penstock::compile {
namespace {

using Json = nlohmann::json;

// An API server refuses a status with a message of more than 32,768 characters (metav1.Condition), and people read far less. What is cut is
// cut between characters.
std::string bounded(const std::string& message) {
    constexpr std::size_t kMost = 8192;
    if (message.size() <= kMost) {
        return message;
    }
    std::size_t end = kMost;
    while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xc0U) == 0x80U) {
        --end;
    }
    return message.substr(0, end) + " ...";
}

Json json_of(const Conditions& conditions, std::int64_t generation) {
    Json list = Json::array();
    for (const Condition& condition : conditions) {
        list.push_back({{"type", condition.type_name()},
                        {"status", condition.holds() ? "True" : "False"},
                        {"reason", condition.reason_name()},
                        {"message", bounded(condition.message)},
                        {"observedGeneration", generation}});
    }
    return list;
}

Json json_of(const std::vector<ListenerStatus>& listeners, std::int64_t generation) {
    Json list = Json::array();
    for (const ListenerStatus& listener : listeners) {
        Json kinds = Json::array();
        for (const RouteGroupKind& kind : listener.supported_kinds) {
            kinds.push_back({{"group", kind.group}, {"kind", kind.kind}});
        }
        list.push_back({{"name", listener.name},
                        {"supportedKinds", std::move(kinds)},
                        {"attachedRoutes", listener.attached_routes},
                        {"conditions", json_of(listener.conditions, generation)}});
    }
    return list;
}

Json json_of(const model::ParentRef& ref) {
    Json json = {{"name", ref.name}};
    const auto put = [&](const char* field, const auto& value) {
        if (value) {
            json[field] = *value;
        }
    };
    put("group", ref.group);
    put("kind", ref.kind);
    put("namespace", ref.ns);
    put("sectionName", ref.section_name);
    put("port", ref.port);
    return json;
}

struct Writer {
    std::int64_t generation;
    const std::string& controller;

    Json operator()(const ClassStatus& status) const {
        Json json = {{"conditions", json_of(status.conditions, generation)}};
        if (!status.supported_features.empty()) {
            Json features = Json::array();
            for (const std::string& name : status.supported_features) {
                features.push_back({{"name", name}});
            }
            json["supportedFeatures"] = std::move(features);
        }
        return json;
    }
    Json operator()(const GatewayStatus& status) const {
        Json addresses = Json::array();
        for (const StatusAddress& address : status.addresses) {
            addresses.push_back({{"type", address.type}, {"value", address.value}});
        }
        return {{"addresses", std::move(addresses)},
                {"attachedListenerSets", status.attached_listener_sets},
                {"conditions", json_of(status.conditions, generation)},
                {"listeners", json_of(status.listeners, generation)}};
    }
    Json operator()(const ListenerSetStatus& status) const {
        return {{"conditions", json_of(status.conditions, generation)}, {"listeners", json_of(status.listeners, generation)}};
    }
    Json operator()(const RouteStatus& status) const {
        Json parents = Json::array();
        for (const RouteParentStatus& parent : status.parents) {
            parents.push_back({{"controllerName", controller},
                               {"parentRef", json_of(parent.parent_ref)},
                               {"conditions", json_of(parent.conditions, generation)}});
        }
        return {{"parents", std::move(parents)}};
    }
    Json operator()(const PolicyStatus& status) const {
        Json ancestors = Json::array();
        for (const PolicyAncestorStatus& ancestor : status.ancestors) {
            ancestors.push_back({{"controllerName", controller},
                                 {"ancestorRef",
                                  {{"group", model::kGatewayGroup},
                                   {"kind", "Gateway"},
                                   {"namespace", ancestor.gateway.ns},
                                   {"name", ancestor.gateway.name}}},
                                 {"conditions", json_of(ancestor.conditions, generation)}});
        }
        return {{"ancestors", std::move(ancestors)}};
    }
};

}  // namespace

Json to_json(const ObjectStatus& status, const std::string& controller_name) {
    return std::visit(Writer{status.generation, controller_name}, status.body);
}

}  // namespace penstock::compile
