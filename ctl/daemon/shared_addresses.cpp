// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/shared_addresses.hpp"

#include <algorithm>
#include <variant>

namespace penstock::daemon {

namespace {

model::ObjectKey gateway_of(const model::Object& object) {
    const auto* set = model::body_of<model::ListenerSet>(object);
    return set == nullptr ? object.key : model::ObjectKey{model::Kind::gateway, set->parent_ref.ns.value_or(object.key.ns), set->parent_ref.name};
}

bool is_shared(const compile::Compiled& compiled, const IpAddress& address) {
    const auto& all = compiled.addresses;  // sorted
    const auto found = std::lower_bound(all.begin(), all.end(), address, [](const compile::ClaimedAddress& one, const IpAddress& wanted) { return one.address < wanted; });
    return found != all.end() && found->address == address && found->requested;
}

}  // namespace

std::vector<IpAddress> shared_addresses(const compile::Compiled& compiled, const model::Object& object) {
    const auto* status = compiled.statuses.get(gateway_of(object));
    const auto* gateway = status != nullptr ? std::get_if<compile::GatewayStatus>(&(*status)->body) : nullptr;
    std::vector<IpAddress> out;
    for (const compile::StatusAddress& one : gateway != nullptr ? gateway->addresses : std::vector<compile::StatusAddress>()) {
        if (const auto address = IpAddress::parse(one.value); address && is_shared(compiled, *address)) {
            out.push_back(*address);
        }
    }
    return out;
}

}  // namespace penstock::daemon
