// SPDX-License-Identifier: Apache-2.0
#include "ctl/status/generated.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "ctl/model/store.hpp"
#include "ctl/status/conditions_json.hpp"
#include "userspace/base/assert.hpp"
#include "userspace/base/ip.hpp"
#include "userspace/base/piece_map.hpp"

namespace penstock::status {

namespace {

using nlohmann::json;

constexpr std::size_t kLabelMax = 63;  // of a label's value and of a Service's name
constexpr const char* kNameLabel = "gateway.networking.k8s.io/gateway-name";
constexpr const char* kClassLabel = "gateway.networking.k8s.io/gateway-class-name";

// At most `most` characters, others with a digest at their end; the same for the same text.
std::string shortened(const std::string& text, std::size_t most) {
    if (text.size() <= most) {
        return text;
    }
    return fmt::format("{}-{:08x}", text.substr(0, most - 9), static_cast<std::uint32_t>(piece_hash(text)));
}

// A label's value ends with a letter or a digit.
std::string label_of(const std::string& name) { return shortened(name, kLabelMax); }

json metadata_of(const model::Object& gateway, const std::string& name) {
    const auto& spec = *model::body_of<model::Gateway>(gateway);
    json labels = json::object();
    json annotations = json::object();
    if (spec.infrastructure) {
        labels = spec.infrastructure->labels;
        annotations = spec.infrastructure->annotations;
    }
    labels[kNameLabel] = label_of(gateway.key.name);
    labels[kClassLabel] = label_of(spec.gateway_class_name);
    labels[kManagedBy] = kManager;
    json owner = {{"apiVersion", std::string(model::kGatewayGroup) + "/v1"}, {"kind", "Gateway"}, {"name", gateway.key.name}, {"uid", gateway.meta.uid}};
    return {{"name", name}, {"namespace", gateway.key.ns}, {"labels", labels}, {"annotations", annotations}, {"ownerReferences", json::array({owner})}};
}

// One for each port and transport: listeners share them.
json ports_of(const model::Gateway& spec) {
    std::set<std::pair<std::int32_t, std::string>> ports;
    for (const model::Listener& listener : spec.listeners) {
        ports.emplace(listener.port, listener.protocol == "UDP" ? "UDP" : "TCP");
    }
    json out = json::array();
    for (const auto& [port, protocol] : ports) {
        out.push_back({{"name", fmt::format("{}-{}", protocol == "UDP" ? "udp" : "tcp", port)}, {"port", port}, {"protocol", protocol}});
    }
    return out;
}

Generated slice(const model::Object& gateway, const std::string& service, Family family, const json& addresses, const json& ports) {
    json endpoints = json::array();
    for (const json& one : addresses) {
        const auto ip = IpAddress::parse(text_at(one, "value"));
        if (ip && ip->family == family) {
            endpoints.push_back({{"addresses", json::array({ip->text()})}, {"conditions", {{"ready", true}}}});
        }
    }
    const std::string name = service + (family == Family::v4 ? "-ipv4" : "-ipv6");
    json meta = metadata_of(gateway, name);
    meta["labels"]["kubernetes.io/service-name"] = service;
    meta["labels"]["endpointslice.kubernetes.io/managed-by"] = "penstock.dev";
    return {.key = {model::Kind::endpoint_slice, gateway.key.ns, name},
            .path = "/apis/discovery.k8s.io/v1/namespaces/" + gateway.key.ns + "/endpointslices/" + name,
            .content = {{"apiVersion", "discovery.k8s.io/v1"},
                        {"kind", "EndpointSlice"},
                        {"metadata", meta},
                        {"addressType", family == Family::v4 ? "IPv4" : "IPv6"},
                        {"endpoints", endpoints},
                        {"ports", ports}}};
}

}  // namespace

std::string generated_name(const std::string& gateway) {
    constexpr std::string_view kEnd = "-penstock";
    std::string name = gateway;
    std::replace(name.begin(), name.end(), '.', '-');  // a Gateway's name may have dots, a Service's may not
    name = name == gateway ? name : fmt::format("{}-{:08x}", name, static_cast<std::uint32_t>(piece_hash(gateway)));
    const bool letter = name.front() >= 'a' && name.front() <= 'z';  // a Service's name begins with one
    return shortened((letter ? "" : "gw-") + name, kLabelMax - 5 - kEnd.size()) + std::string(kEnd);  // "-ipv4" may follow
}

std::vector<Generated> generated_of(const model::Object& gateway, const json& addresses) {
    const auto* spec = model::body_of<model::Gateway>(gateway);
    PST_ASSERT(spec != nullptr);
    const std::string name = generated_name(gateway.key.name);
    const json ports = ports_of(*spec);
    std::vector<Generated> out;
    out.push_back({.key = {model::Kind::service, gateway.key.ns, name},
                   .path = "/api/v1/namespaces/" + gateway.key.ns + "/services/" + name,
                   .content = {{"apiVersion", "v1"},
                               {"kind", "Service"},
                               {"metadata", metadata_of(gateway, name)},
                               {"spec", {{"clusterIP", "None"}, {"ports", ports}}}}});
    for (const Family family : {Family::v4, Family::v6}) {
        out.push_back(slice(gateway, name, family, addresses, ports));
    }
    return out;
}

}  // namespace penstock::status
