// SPDX-License-Identifier: Apache-2.0
// From a part's bytes to the object that is served, and what else that is made of: certificates of their listener's options and
// authorities, backend sets of what their TLS refers to.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "userspace/proxy/tables.hpp"
#include "userspace/proxy/tls_parts.hpp"

namespace penstock::proxy {

// By key of a Certificates part.
using CertificateUsers = std::unordered_map<std::string_view, const fb::Listener*>;

struct MakeContext {
    const PartSource& parts;
    const CertificateUsers& users;
    std::shared_ptr<const tls::TicketKeys> tickets;
};

// Everything outside of the part itself that its object is made of; "" if that is nothing.
std::string surroundings(const std::string& path, const MakeContext& context);

// Null where the object is made by those who refer to the part. A host is yet to be bound.
Result<std::shared_ptr<const void>> make_object(const std::string& path, const MakeContext& context);

}  // namespace penstock::proxy
