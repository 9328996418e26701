// SPDX-License-Identifier: Apache-2.0
// The addresses of Gateways on this node's interfaces: which are here, where each goes, and for how long.
#include <algorithm>
#include <utility>

#include "ctl/apply/edge.hpp"

namespace penstock::apply {

namespace {

constexpr std::uint32_t kLifetimeS = 30;  // several ticks

}  // namespace

// Where others look for it: the interface of its own network, else the one of the default route, else the first uplink.
std::uint32_t Edge::interface_for(const IpAddress& address) const {
    if (!options_.announce.empty()) {
        const auto named = std::find_if(interfaces_.begin(), interfaces_.end(), [&](const Interface& one) { return one.name == options_.announce; });
        return named == interfaces_.end() ? 0 : named->index;
    }
    for (const InterfaceAddress& one : interface_addresses_) {
        if (one.global && !one.ours && plan::Network{one.address, one.prefix_length}.contains(address)) {
            return one.ifindex;
        }
    }
    const auto usable = [&](const Interface& interface) { return interface.up && !interface.loopback && !is_port(interface); };
    const auto first = [&](const auto& matches) -> std::uint32_t {
        const auto found = std::find_if(interfaces_.begin(), interfaces_.end(), [&](const Interface& one) { return usable(one) && matches(one); });
        return found == interfaces_.end() ? 0 : found->index;
    };
    if (const std::uint32_t index = first([&](const Interface& one) { return std::find(default_route_.begin(), default_route_.end(), one.index) != default_route_.end(); }); index != 0) {
        return index;
    }
    if (const std::uint32_t index = first([&](const Interface& one) { return is_uplink(one); }); index != 0) {
        return index;
    }
    if (const std::uint32_t index = first([&](const Interface& one) { return leads_out(one); }); index != 0) {
        return index;
    }
    const auto loopback = std::find_if(interfaces_.begin(), interfaces_.end(), [](const Interface& one) { return one.loopback; });
    return loopback == interfaces_.end() ? 0 : loopback->index;
}

// Whether this node has it. What is its own by another's hand is not shared out.
bool Edge::is_here(const compile::ClaimedAddress& claim) const { return !claim.requested || !options_.shared || (held_ && held_->contains(claim.address)); }

// While there are other nodes: long enough for a daemon that starts anew, or is busy.
std::uint32_t Edge::lifetime_s() const { return expires_ ? kLifetimeS : kForever; }

bool Edge::put_address(const compile::ClaimedAddress& claim, AddressState& state, std::vector<Problem>& problems) {
    const std::uint32_t ifindex = interface_for(claim.address);
    auto done = hold();
    state.refused = done.ok();  // until it is put
    if (done.ok() && ifindex == 0) {
        done = Error{.code = Errc::not_found, .what = "there is no interface " + options_.announce, .hint = "--announce names it"};
    }
    if (done.ok()) {
        done = netlink_.add_address(ifindex, claim.address, lifetime_s());
    }
    if (const Interface* interface = find_interface(interfaces_, ifindex)) {
        state.interface = interface->name;
    }
    if (done.ok()) {
        state.kind = AddressState::Kind::added;
        state.refused = false;
        count(1);
        return true;
    }
    state.kind = AddressState::Kind::failed;
    state.detail = done.error().message();
    problems.push_back({.what = "put " + claim.address.text() + " on an interface", .error = std::move(done).error(), .address = claim.address});
    return false;
}

void Edge::put_addresses(std::vector<Problem>& problems) {
    address_states_.clear();
    here_.clear();
    bool changed = false;
    for (const compile::ClaimedAddress& claim : claims_) {
        AddressState state{.address = claim.address};
        const auto there = std::find_if(interface_addresses_.begin(), interface_addresses_.end(), [&](const auto& one) { return one.address == claim.address; });
        if (there != interface_addresses_.end()) {
            state.kind = there->ours ? AddressState::Kind::added : claim.requested ? AddressState::Kind::foreign : AddressState::Kind::present;
            state.detail = state.kind == AddressState::Kind::foreign ? "it was there already and will stay" : "";
            if (const Interface* interface = find_interface(interfaces_, there->ifindex)) {
                state.interface = interface->name;
            }
        }
        if (!is_here(claim) && (there == interface_addresses_.end() || there->ours)) {
            state.kind = AddressState::Kind::elsewhere;
            state.interface.clear();
        } else if (there == interface_addresses_.end() && !claim.requested) {
            state.kind = AddressState::Kind::failed;
            state.detail = "this node does not have it any more";
        } else if (there == interface_addresses_.end()) {
            changed = put_address(claim, state, problems) || changed;
        }
        const bool goes = !is_here(claim) && held_;  // the finish phase takes it off
        if (there != interface_addresses_.end() ? !there->ours || !goes : state.kind == AddressState::Kind::added) {
            here_.insert(claim.address);
        }
        address_states_.push_back(std::move(state));
    }
    if (changed) {
        look(false);
    }
}

void Edge::drop_addresses(std::vector<Problem>& problems) {
    if ((options_.shared && !held_) || !hold().ok()) {
        return;  // it is not known yet which; or they may be those of another daemon
    }
    bool changed = false;
    for (const InterfaceAddress& one : interface_addresses_) {
        const bool claimed = std::any_of(claims_.begin(), claims_.end(), [&](const auto& claim) { return claim.requested && claim.address == one.address && is_here(claim); });
        if (!one.ours || claimed) {
            continue;
        }
        auto done = netlink_.remove_address(one.ifindex, one.address);
        if (done.ok()) {
            changed = true;
            count(1);
        } else {
            problems.push_back({.what = "take " + one.address.text() + " off its interface", .error = std::move(done).error(), .address = one.address});
        }
    }
    if (changed) {
        look(false);
    }
}

void Edge::keep_addresses() {
    if (!options_.shared || !hold().ok()) {
        return;
    }
    for (const InterfaceAddress& one : interface_addresses_) {
        if (one.ours && (!held_ || held_->contains(one.address))) {
            (void)netlink_.keep_address(one.ifindex, one.address, held_ ? lifetime_s() : kLifetimeS);  // gone meanwhile: an event tells
        }
    }
}

bool Edge::share(std::set<IpAddress> held, bool expires) {
    const bool other_lifetime = !held_ || expires_ != expires;  // an earlier daemon's may run out
    held_ = std::move(held);
    expires_ = expires;
    std::vector<Problem> problems;
    if (prepared_) {
        drop_addresses(problems);
        put_addresses(problems);
    }
    if (other_lifetime) {
        keep_addresses();
    }
    return problems.empty();
}

std::vector<Announced> Edge::announced() const {
    std::set<IpAddress> added;
    for (const AddressState& state : address_states_) {
        if (state.kind == AddressState::Kind::added) {
            added.insert(state.address);
        }
    }
    std::vector<Announced> list;
    for (const InterfaceAddress& one : interface_addresses_) {
        const Interface* interface = find_interface(interfaces_, one.ifindex);
        if (one.ours && added.contains(one.address) && interface != nullptr && interface->carrier && interface->ethernet && !interface->loopback) {
            list.push_back({.address = one.address, .ifindex = one.ifindex, .mac = interface->mac});
        }
    }
    return list;
}

std::vector<Announced> Edge::places(const std::vector<IpAddress>& addresses) const {
    std::vector<Announced> list;
    for (const IpAddress& address : addresses) {
        const Interface* interface = find_interface(interfaces_, interface_for(address));
        if (interface != nullptr && interface->carrier && interface->ethernet && !interface->loopback) {
            list.push_back({.address = address, .ifindex = interface->index, .mac = interface->mac});
        }
    }
    return list;
}

std::vector<Announced> Edge::neighbours_near(const std::vector<Announced>& places) {
    std::vector<Announced> list;
    const auto known = netlink_.neighbours();
    for (const auto& [ifindex, address] : known.ok() ? *known : std::vector<std::pair<std::uint32_t, IpAddress>>()) {
        const auto near = std::find_if(places.begin(), places.end(), [index = ifindex](const Announced& one) { return one.ifindex == index; });
        if (near != places.end()) {
            list.push_back({.address = address, .ifindex = ifindex, .mac = near->mac});
        }
    }
    return list;
}

std::vector<plan::Network> Edge::networks() const {
    std::vector<plan::Network> list;
    for (const InterfaceAddress& one : interface_addresses_) {
        const Interface* interface = find_interface(interfaces_, one.ifindex);
        if (interface != nullptr && one.global && !one.ours && !interface->loopback && interface->carrier && (options_.announce.empty() || interface->name == options_.announce)) {
            list.push_back({one.address, one.prefix_length});
        }
    }
    std::sort(list.begin(), list.end());
    return list;
}

}  // namespace penstock::apply
