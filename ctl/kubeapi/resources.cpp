// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/resources.hpp"

#include <algorithm>
#include <array>

#include "ctl/kubeapi/url.hpp"
#include "ctl/model/text_at.hpp"

namespace penstock::kubeapi {

namespace {

using model::Kind;
using model::Value;

// Newest first.
constexpr std::array<std::string_view, 5> kVersions = {"v1", "v1beta1", "v1alpha3", "v1alpha2", "v1alpha1"};

// The smaller, the better.
std::size_t rank(const std::string& api_version) {
    const std::size_t slash = api_version.find('/');
    const std::string group = api_version.substr(0, slash);
    const auto version = std::find(kVersions.begin(), kVersions.end(), api_version.substr(slash + 1));
    return (group == model::kGatewayGroup ? 0 : kVersions.size()) + static_cast<std::size_t>(version - kVersions.begin());
}

// The model's kind of a resource of a discovered group.
std::optional<Kind> kind_of(const std::string& group, const std::string& kind) {
    if (group != model::kGatewayGroup && group != model::kExperimentalGroup) {
        return std::nullopt;
    }
    const std::string plain = group == model::kExperimentalGroup && kind.starts_with('X') ? kind.substr(1) : kind;
    const auto word = model::kind_of_word(plain);
    return word && model::info(*word).name == plain && model::info(*word).group == model::kGatewayGroup ? word : std::nullopt;
}

// Nothing for a subresource.
std::optional<Resource> resource_of(const Value& api_resource, const std::string& api_version) {
    const std::string plural = text_at(api_resource, {"name"});
    if (plural.empty() || plural.find('/') != std::string::npos) {
        return std::nullopt;
    }
    const Value* namespaced = api_resource.find("namespaced");
    return Resource{.api_version = api_version, .kind = text_at(api_resource, {"kind"}), .plural = plural,
                    .namespaced = namespaced != nullptr && namespaced->as_boolean() != nullptr && *namespaced->as_boolean()};
}

}  // namespace

std::string version_path(const std::string& api_version) { return (api_version.find('/') == std::string::npos ? "/api/" : "/apis/") + api_version; }

std::string Resource::collection() const { return version_path(api_version) + "/" + plural; }

std::string Resource::collection_in(const std::string& ns) const {
    return namespaced ? version_path(api_version) + "/namespaces/" + url_encoded(ns) + "/" + plural : collection();
}

std::string Resource::path(const std::string& ns, const std::string& name, std::string_view sub) const {
    std::string out = version_path(api_version);
    if (namespaced) {
        out += "/namespaces/" + url_encoded(ns);
    }
    out += "/" + plural + "/" + url_encoded(name);
    return sub.empty() ? out : out + "/" + std::string(sub);
}

Resources built_in_resources() {
    Resources out;
    for (const Kind kind : {Kind::service, Kind::endpoint_slice, Kind::secret, Kind::config_map, Kind::namespace_}) {
        const model::KindInfo& info = model::info(kind);
        const std::string group(info.group);
        out[kind] = {.api_version = group.empty() ? std::string(info.version) : group + "/" + std::string(info.version), .kind = std::string(info.name),
                     .plural = std::string(info.plural), .namespaced = info.namespaced};
    }
    return out;
}

std::vector<std::string> discovered_groups() {
    return {std::string("/apis/") + model::kGatewayGroup, std::string("/apis/") + model::kExperimentalGroup};
}

bool is_discovery_of(const Value& answer, const std::string& path) {
    const Value* resources = answer.find("resources");
    const Value* versions = answer.find("versions");
    const std::string kind = text_at(answer, {"kind"});
    const bool group = kind == "APIGroup" && versions != nullptr && versions->type() == Value::Type::array && path == "/apis/" + text_at(answer, {"name"});
    const bool version = kind == "APIResourceList" && resources != nullptr && resources->type() == Value::Type::array && path == "/apis/" + text_at(answer, {"groupVersion"});
    return group || version;
}

bool is_always_there(Kind kind) {
    constexpr std::array kAlways = {Kind::gateway_class, Kind::gateway, Kind::http_route, Kind::reference_grant};
    return std::find(kAlways.begin(), kAlways.end(), kind) != kAlways.end();
}

std::vector<std::string> version_paths(const Value& api_group) {
    std::vector<std::string> out;
    const std::string group = text_at(api_group, {"name"});
    if (const Value* versions = api_group.find("versions"); versions != nullptr && !group.empty()) {
        for (const Value& one : versions->items()) {
            const std::string version = text_at(one, {"version"});
            if (std::find(kVersions.begin(), kVersions.end(), version) != kVersions.end()) {
                out.push_back("/apis/" + group + "/" + version);
            }
        }
    }
    return out;
}

std::optional<Resource> resource_in(const Value& api_resource_list, const std::string& kind) {
    const Value* list = api_resource_list.find("resources");
    for (const Value& one : list != nullptr ? list->items() : Value::Array()) {
        if (auto found = resource_of(one, text_at(api_resource_list, {"groupVersion"})); found && found->kind == kind) {
            return found;
        }
    }
    return std::nullopt;
}

void add_resources(const Value& api_resource_list, Resources& resources) {
    const std::string api_version = text_at(api_resource_list, {"groupVersion"});
    const std::string group = api_version.substr(0, api_version.find('/'));
    const Value* list = api_resource_list.find("resources");
    for (const Value& one : list != nullptr ? list->items() : Value::Array()) {
        auto resource = resource_of(one, api_version);
        const auto kind = resource ? kind_of(group, resource->kind) : std::nullopt;
        if (!kind) {
            continue;
        }
        const auto [known, fresh] = resources.try_emplace(*kind, *resource);
        if (!fresh && rank(api_version) < rank(known->second.api_version)) {
            known->second = std::move(*resource);
        }
    }
}

}  // namespace penstock::kubeapi
