// SPDX-License-Identifier: Apache-2.0
// From a snapshot's parts to TLS contexts: a listener's certificates with its options, and how TLS is spoken to a Service's backends. Both
// refer to other parts (trust bundles, a client certificate), so what they were made of is more than their own digest.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "schema/snapshot_generated.h"
#include "userspace/base/result.hpp"
#include "userspace/proxy/part_lists.hpp"
#include "userspace/proxy/tables.hpp"

namespace penstock::proxy {

// The parts that there are, and where their bytes are.
class PartSource {
public:
    PartSource(const Tables& tables, const Storage& storage, ListReader& reader) : tables_(tables), storage_(storage), reader_(reader) {}

    // The digest of a part; empty if there is none.
    [[nodiscard]] std::string digest(fb::PartKind kind, std::string_view key) const;
    [[nodiscard]] Result<std::span<const std::uint8_t>> bytes(fb::PartKind kind, std::string_view key) const;
    [[nodiscard]] const Storage& storage() const { return storage_; }

private:
    const Tables& tables_;  // their parts and lists
    const Storage& storage_;
    ListReader& reader_;
};

// Of everything outside of its own part that a listener's certificate set is made of.
std::string certificates_surroundings(const fb::Listener& listener, const PartSource& parts);
Result<std::shared_ptr<const tls::CertificateSet>> make_certificates(const fb::CertificateSet& part, const fb::Listener& listener, const PartSource& parts,
                                                                     std::shared_ptr<const tls::TicketKeys> tickets);

std::string backend_tls_surroundings(const fb::BackendTls& tls, const PartSource& parts);
// Never null; what is missing is an error, as nothing may be sent in the clear instead.
Result<std::shared_ptr<const tls::BackendContext>> make_backend_tls(const fb::BackendTls& tls, bool http2, const std::string& object, const PartSource& parts);

// The keys that the root names, or those of this process alone.
Result<std::vector<tls::TicketKey>> ticket_keys(const fb::Root& root, const Storage& storage);

}  // namespace penstock::proxy
