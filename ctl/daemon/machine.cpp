// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/machine.hpp"

#include <algorithm>

#include "ctl/source/source.hpp"
#include "schema/views.hpp"

namespace penstock::daemon {

namespace {

using status::Failure;

// "https" of "Gateway/ns/name/https".
std::string section_of(const std::string& listener) {
    const std::size_t slash = listener.rfind('/');
    return slash == std::string::npos ? std::string() : listener.substr(slash + 1);
}

}  // namespace

const penstock::snapshot::Root* root_of(const compile::Compiled& compiled) {
    return compiled.snapshot.root == nullptr ? nullptr : penstock::snapshot::GetRoot(compiled.snapshot.root->data());
}

std::optional<Failure> owner_of_socket(const compile::Compiled& compiled, const std::string& socket, const std::string& message) {
    const auto* root = root_of(compiled);
    if (root == nullptr) {
        return std::nullopt;
    }
    for (const auto* port : *root->ports()) {
        if (port->socket()->str() == socket && port->listeners()->size() > 0) {
            const auto* listener = root->listeners()->Get(port->listeners()->Get(0));
            return Failure{.kind = Failure::Kind::socket, .object = snapshot::path_of(*listener->object()), .listener = section_of(listener->name()->str()), .message = message};
        }
    }
    return std::nullopt;
}

std::optional<Failure> owner_of_address(const compile::Compiled& compiled, const IpAddress& address, const std::string& message) {
    const auto found = std::find_if(compiled.addresses.begin(), compiled.addresses.end(), [&](const auto& claim) { return claim.address == address; });
    if (found == compiled.addresses.end()) {
        return std::nullopt;
    }
    return Failure{.kind = Failure::Kind::address, .object = source::name_of(found->owner), .listener = {}, .message = message};
}

std::optional<Failure> owner_of_part(const compile::Compiled& compiled, const std::string& part, const std::string& message) {
    const compile::Part* found = compile::part_named(compiled.snapshot, part);
    if (found == nullptr || found->object.kind.empty()) {
        return std::nullopt;
    }
    const auto& object = found->object;
    return Failure{.kind = Failure::Kind::part, .object = object.kind + "/" + object.namespace_ + "/" + object.name, .listener = {}, .message = message};
}

}  // namespace penstock::daemon
