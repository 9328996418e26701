// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/ground.hpp"

#include <utility>

namespace penstock::compile {

namespace {

std::string shape_of(const Front& front, const BackendPolicies& policies) {
    std::string shape = policies.fingerprint(front) + " ";
    for (const Listener& listener : front.listeners) {
        shape += listener.served() ? '+' : '-';
    }
    return shape;
}

}  // namespace

bool Ground::made_with(const AddressBook* told_now, const std::set<IpAddress>& others_now) const {
    return others == others_now && (told_now != nullptr ? told == *told_now : !told);
}

GroundPtr make_ground(const World& world, const AddressContext& context, GroundBefore before) {
    auto ground = std::make_shared<Ground>();
    ground->by_age = world.by_age;
    Material material(world, {ground->material, ground->pairs}, {before.ground != nullptr ? &before.ground->material : nullptr, before.pairs});
    ground->front = make_front(world, context.options, material);
    ground->policies = BackendPolicies(world, material);
    ground->book = std::move(before.book);
    ground->addresses = assign_addresses(ground->front, context, ground->book);
    ground->shape = shape_of(ground->front, ground->policies);
    if (context.told != nullptr) {
        ground->told = *context.told;
    }
    ground->others = context.others;
    return ground;
}

}  // namespace penstock::compile
