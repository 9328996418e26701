// SPDX-License-Identifier: Apache-2.0
// Where the kinds of the model are on an API server: which served version we read each in. The Gateway API's kinds come and go with its
// CRDs, in several versions; the others are always there. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/model/object.hpp"
#include "ctl/model/value.hpp"

namespace penstock::kubeapi {

struct Resource {
    std::string api_version;  // "gateway.networking.k8s.io/v1"
    std::string kind;         // "HTTPRoute"; as this server has it: "XListenerSet"
    std::string plural;       // "httproutes"
    bool namespaced = true;

    // "/apis/gateway.networking.k8s.io/v1/httproutes": of all namespaces.
    [[nodiscard]] std::string collection() const;
    // Of one namespace; of all for kinds without namespaces.
    [[nodiscard]] std::string collection_in(const std::string& ns) const;
    // Of one object; `sub`: "status" or "". `ns` is ignored for kinds without namespaces.
    [[nodiscard]] std::string path(const std::string& ns, const std::string& name, std::string_view sub = {}) const;
    bool operator==(const Resource&) const = default;
};

// The Secrets that a reference can mean, as a selector of fields: the others are the bulk of many clusters'.
inline constexpr const char* kUsableSecrets = "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token";

using Resources = std::map<model::Kind, Resource>;

// The kinds that a server has without CRDs.
Resources built_in_resources();

// Whose versions are asked for: "/apis/gateway.networking.k8s.io".
std::vector<std::string> discovered_groups();
// Whether an answer of discovery is what was asked for: the APIGroup or the APIResourceList of that path. Another one says nothing of kinds.
bool is_discovery_of(const model::Value& answer, const std::string& path);
// Whether every installation of the Gateway API has the kind. Where one of these is missing, the answer is odd, or there is no installation.
bool is_always_there(model::Kind kind);
// The paths of a group's versions, from the answer to its path (APIGroup). Versions that we do not read are left out.
std::vector<std::string> version_paths(const model::Value& api_group);
// "/apis/apps/v1": the path of one version, and what its answer (APIResourceList) says of a kind.
std::string version_path(const std::string& api_version);
std::optional<Resource> resource_in(const model::Value& api_resource_list, const std::string& kind);
// Adds what one version has (APIResourceList): a kind is read in the newest version, and the standard group goes before the experimental one.
void add_resources(const model::Value& api_resource_list, Resources& resources);

}  // namespace penstock::kubeapi
