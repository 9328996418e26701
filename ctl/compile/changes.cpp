// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/changes.hpp"

#include <algorithm>

namespace penstock::compile {
namespace {

std::string service_of(const model::Object& slice) { return slice.key.ns + "/" + std::get<model::EndpointSlice>(slice.body).service; }

void take_out(SliceIndex& slices, const model::ObjectPtr& slice) {
    const std::string service = service_of(*slice);
    const auto* there = slices.get(service);
    if (there == nullptr) {
        return;
    }
    std::vector<model::ObjectPtr> rest = *there;
    std::erase(rest, slice);
    if (rest.empty()) {
        slices.erase(service);
    } else {
        slices.set(service, std::move(rest));
    }
}

void put_in(SliceIndex& slices, const model::ObjectPtr& slice) {
    std::string service = service_of(*slice);
    const auto* there = slices.get(service);
    std::vector<model::ObjectPtr> all = there != nullptr ? *there : std::vector<model::ObjectPtr>();
    const auto place = std::upper_bound(all.begin(), all.end(), slice, [](const auto& one, const auto& other) { return one->key < other->key; });
    all.insert(place, slice);
    slices.set(std::move(service), std::move(all));
}

}  // namespace

bool Changes::is_route(model::Kind kind) {
    switch (kind) {
        case model::Kind::http_route:
        case model::Kind::grpc_route:
        case model::Kind::tls_route:
        case model::Kind::tcp_route:
        case model::Kind::udp_route: return true;
        default: return false;
    }
}

Changes changes_between(const model::Store& old, const model::Store& now, SliceIndex& slices) {
    Changes changes;
    model::Store::Map::diff(old.all(), now.all(), [&](const auto* before, const auto* after) {
        const model::ObjectKey& key = (before != nullptr ? before : after)->first;
        switch (key.kind) {
            case model::Kind::service: changes.services.insert(key.ns + "/" + key.name); break;
            case model::Kind::endpoint_slice:
                if (before != nullptr) {
                    take_out(slices, before->second);
                    changes.endpoints.insert(service_of(*before->second));
                }
                if (after != nullptr) {
                    put_in(slices, after->second);
                    changes.endpoints.insert(service_of(*after->second));
                }
                break;
            case model::Kind::secret:
            case model::Kind::config_map: changes.material = true; break;
            default:
                if (Changes::is_route(key.kind)) {
                    changes.routes.push_back(key);
                } else {
                    changes.ground = true;
                }
        }
    });
    return changes;
}

std::vector<model::ObjectKey> routes_of(const model::Store& store) {
    std::vector<model::ObjectKey> routes;
    for (const auto& [key, object] : store) {
        if (Changes::is_route(key.kind)) {
            routes.push_back(key);
        }
    }
    return routes;
}

}  // namespace penstock::compile
