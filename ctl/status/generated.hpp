// SPDX-License-Identifier: Apache-2.0
// What we make in a cluster for a Gateway: a headless Service of a name that follows from the Gateway's, with EndpointSlices of the
// Gateway's addresses, so that pods find the Gateway by DNS. Both carry spec.infrastructure's labels and annotations (GEP-1867) and the Gateway
// as owner: they go with it. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ctl/model/object.hpp"

namespace penstock::status {

// The label and its value that tell what is ours.
inline constexpr const char* kManagedBy = "app.kubernetes.io/managed-by";
inline constexpr const char* kManager = "penstock";

struct Generated {
    model::ObjectKey key;
    std::string path;        // on the API server
    nlohmann::json content;  // to be applied
};

// `addresses` as in the Gateway's status. `gateway` holds a Gateway.
std::vector<Generated> generated_of(const model::Object& gateway, const nlohmann::json& addresses);

// The Service's name: the Gateway's with "-penstock", cut with a digest where that is longer than a Service's name may be.
std::string generated_name(const std::string& gateway);

}  // namespace penstock::status
